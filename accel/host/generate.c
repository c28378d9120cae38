/* Whole images with the driver; generate.h says what the calls do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "generate.h"

#include <math.h>
#include <string.h>

#define LIMIT 32768 /* of a value of x */

/* Everything of one image. */
typedef struct {
    uint32_t channels, guided, frames, rows, columns, patch, hidden, tokens, places, lanes, contexts, steps;
    uint32_t pixels; /* values of a patch */
    uint32_t values; /* of an image */
    int clips;
    float scale, guidance;
    uint32_t epsilon;
    const uint8_t *patch_weights, *positions, *order, *last_weights, *last_bias, *sampler, *noise, *modulation;
    float *image, *clean, *found, *row;
    int16_t *x, *x_out;
} part;

static float number(const uint8_t *bytes, size_t place) {
    const uint32_t bits = radit_u32(bytes + 4u * place);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const uint8_t *section(const radit_model *model, uint32_t kind, uint32_t image, uint64_t numbers) {
    uint64_t bytes;
    const uint8_t *found = radit_content(model, kind, image, &bytes);
    return found && bytes == 4u * numbers ? found : NULL;
}

static int read_sizes(part *p, const radit_model *model) {
    uint64_t bytes;
    const uint8_t *s = radit_content(model, RADIT_KIND_SIZES, RADIT_ALL_IMAGES, &bytes);
    uint32_t power;
    memset(p, 0, sizeof *p);
    if (!s || bytes != RADIT_SIZE_SIZE) return 0;
    p->channels = radit_u32(s + RADIT_SIZE_CHANNELS);
    p->guided = radit_u32(s + RADIT_SIZE_GUIDED);
    p->frames = radit_u32(s + RADIT_SIZE_FRAMES);
    p->rows = radit_u32(s + RADIT_SIZE_ROWS);
    p->columns = radit_u32(s + RADIT_SIZE_COLUMNS);
    p->patch = radit_u32(s + RADIT_SIZE_PATCH);
    p->hidden = radit_u32(s + RADIT_SIZE_HIDDEN);
    p->tokens = radit_u32(s + RADIT_SIZE_TOKENS);
    p->places = radit_u32(s + RADIT_SIZE_PLACES);
    p->lanes = radit_u32(s + RADIT_SIZE_LANES);
    p->contexts = radit_u32(s + RADIT_SIZE_CONTEXTS);
    p->steps = radit_u32(s + RADIT_SIZE_STEPS);
    p->epsilon = radit_u32(s + RADIT_SIZE_EPSILON);
    p->clips = radit_u32(s + RADIT_SIZE_CLIPS) != 0;
    p->guidance = number(s + RADIT_SIZE_GUIDANCE, 0);
    if (p->channels > 4096u || p->frames > 4096u || p->rows > 65536u || p->columns > 65536u || !p->patch ||
        p->patch > 256u || p->rows % p->patch || p->columns % p->patch || !p->hidden || p->hidden > 65536u ||
        !p->lanes || p->places % p->lanes || p->tokens > p->places || p->contexts < 1u || p->contexts > 2u ||
        p->steps != model->steps || radit_u32(s + RADIT_SIZE_X_FRAC) > 30u || p->guided > p->channels ||
        (uint64_t)p->channels * p->frames * p->rows * p->columns > 0x1000000u ||
        p->tokens != p->frames * (p->rows / p->patch) * (p->columns / p->patch) ||
        (uint64_t)p->contexts * p->places * p->hidden * 2u != model->x_bytes) {
        return 0;
    }
    p->pixels = p->patch * p->patch * p->channels;
    p->values = p->channels * p->frames * p->rows * p->columns;
    p->scale = 1.0f;
    for (power = radit_u32(s + RADIT_SIZE_X_FRAC); power; --power) p->scale *= 2.0f;
    return 1;
}

static int read_sections(part *p, const radit_model *model, uint32_t image) {
    const uint64_t patch = (uint64_t)p->pixels * p->hidden;
    const uint32_t all = RADIT_ALL_IMAGES;
    uint32_t place;
    p->patch_weights = section(model, RADIT_KIND_PATCH_WEIGHTS, all, patch);
    p->positions = section(model, RADIT_KIND_POSITIONS, all, (uint64_t)p->tokens * p->hidden);
    p->order = section(model, RADIT_KIND_TOKEN_ORDER, all, p->places);
    p->last_weights = section(model, RADIT_KIND_LAST_WEIGHTS, all, patch);
    p->last_bias = section(model, RADIT_KIND_LAST_BIAS, all, p->pixels);
    p->sampler = section(model, RADIT_KIND_SAMPLER, all, (uint64_t)p->steps * (3u + p->steps));
    p->noise = section(model, RADIT_KIND_NOISE, image, p->values);
    p->modulation = section(model, RADIT_KIND_LAST_MODULATION, image, (uint64_t)p->steps * p->contexts * 2u * p->hidden);
    if (!p->patch_weights || !p->positions || !p->order || !p->last_weights || !p->last_bias || !p->sampler ||
        !p->noise || !p->modulation) {
        return 0;
    }
    for (place = 0; place < p->places; ++place) {
        if (radit_u32(p->order + 4u * place) >= p->places) return 0;
    }
    return 1;
}

size_t radit_image_floats(const radit_model *model) {
    part p;
    return read_sizes(&p, model) ? p.values : 0;
}

static size_t x_floats(const part *p) { return ((size_t)p->contexts * p->places * p->hidden + 1u) / 2u; }

size_t radit_work_floats(const radit_model *model) {
    part p;
    if (!read_sizes(&p, model)) return 0;
    return (size_t)p.values * (1u + p.steps + p.contexts) + p.hidden + 2u * x_floats(&p);
}

static void share_out(part *p, float *work) {
    p->image = work;
    p->clean = p->image + p->values;
    p->found = p->clean + (size_t)p->steps * p->values;
    p->row = p->found + (size_t)p->contexts * p->values;
    p->x = (int16_t *)(void *)(p->row + p->hidden);
    p->x_out = (int16_t *)(void *)(p->row + p->hidden + x_floats(p));
}

/* Place in an image of value (channel, y, x) of a token's patch. */
static size_t pixel(const part *p, uint32_t token, uint32_t channel, uint32_t y, uint32_t x) {
    const uint32_t across = p->columns / p->patch, down = p->rows / p->patch;
    const uint32_t frame = token / (down * across), rest = token % (down * across);
    const size_t row = (size_t)rest / across * p->patch + y, column = (size_t)rest % across * p->patch + x;
    return (((size_t)frame * p->channels + channel) * p->rows + row) * p->columns + column;
}

/* Place in x of a channel of what stands at a place of a context. */
static size_t word(const part *p, uint32_t context, uint32_t place, uint32_t channel) {
    const size_t tile = (size_t)context * (p->places / p->lanes) + place / p->lanes;
    return (tile * p->hidden + channel) * p->lanes + place % p->lanes;
}

/* Rounds half up, and holds to 16 bits. */
static int16_t rounded(float value) {
    int32_t below;
    if (!(value > (float)-LIMIT)) return -LIMIT;
    if (value >= (float)(LIMIT - 1)) return LIMIT - 1;
    below = (int32_t)value; /* toward zero */
    if ((float)below > value) --below;
    return (int16_t)(below + (value - (float)below >= 0.5f));
}

static void embed(const part *p) {
    uint32_t place, channel, y, x, d, context;
    memset(p->x, 0, (size_t)p->contexts * p->places * p->hidden * sizeof *p->x);
    for (place = 0; place < p->places; ++place) {
        const uint32_t token = radit_u32(p->order + 4u * place);
        size_t k = 0;
        if (token >= p->tokens) continue;
        for (d = 0; d < p->hidden; ++d) p->row[d] = 0.0f;
        for (channel = 0; channel < p->channels; ++channel) {
            for (y = 0; y < p->patch; ++y) {
                for (x = 0; x < p->patch; ++x, ++k) {
                    const float value = p->image[pixel(p, token, channel, y, x)];
                    for (d = 0; d < p->hidden; ++d) {
                        const float product = value * number(p->patch_weights, k * p->hidden + d);
                        p->row[d] = p->row[d] + product;
                    }
                }
            }
        }
        for (d = 0; d < p->hidden; ++d) {
            const float sum = p->row[d] + number(p->positions, (size_t)token * p->hidden + d);
            const int16_t value = rounded(sum * p->scale);
            for (context = 0; context < p->contexts; ++context) p->x[word(p, context, place, d)] = value;
        }
    }
}

/* The last norm and its modulation, of one token, into p->row. */
static void normalize(const part *p, uint32_t context, uint32_t place, uint32_t step) {
    const size_t factors = ((size_t)step * p->contexts + context) * 2u * p->hidden;
    const int32_t width = (int32_t)p->hidden;
    int64_t squares = 0;
    int32_t total = 0;
    float root;
    uint32_t d;
    for (d = 0; d < p->hidden; ++d) {
        const int32_t value = p->x_out[word(p, context, place, d)];
        total += value;
        squares += (int64_t)value * value;
    }
    root = sqrtf((float)(width * squares - (int64_t)total * total + (int64_t)p->epsilon));
    for (d = 0; d < p->hidden; ++d) {
        const int64_t above = (int64_t)width * p->x_out[word(p, context, place, d)] - total;
        const float normal = (float)above / root;
        const float product = normal * number(p->modulation, factors + d);
        p->row[d] = product + number(p->modulation, factors + p->hidden + d);
    }
}

/* The predicted noise of a context. */
static void predict(const part *p, uint32_t context, uint32_t step) {
    float *found = p->found + (size_t)context * p->values;
    uint32_t place, channel, y, x, d;
    for (place = 0; place < p->places; ++place) {
        const uint32_t token = radit_u32(p->order + 4u * place);
        size_t output = 0;
        if (token >= p->tokens) continue;
        normalize(p, context, place, step);
        for (y = 0; y < p->patch; ++y) {
            for (x = 0; x < p->patch; ++x) {
                for (channel = 0; channel < p->channels; ++channel, ++output) {
                    float sum = 0.0f;
                    for (d = 0; d < p->hidden; ++d) {
                        const float product = p->row[d] * number(p->last_weights, (size_t)d * p->pixels + output);
                        sum = sum + product;
                    }
                    found[pixel(p, token, channel, y, x)] = sum + number(p->last_bias, output);
                }
            }
        }
    }
}

/* The next image, of the predicted noise of all contexts. */
static void move(const part *p, uint32_t step) {
    const size_t row = (size_t)step * (3u + p->steps), plane = (size_t)p->rows * p->columns;
    const float from_x = number(p->sampler, row), from_noise = number(p->sampler, row + 1u);
    const float begun = number(p->sampler, row + 2u);
    float *clean = p->clean + (size_t)step * p->values;
    uint32_t value, earlier;
    for (value = 0; value < p->values; ++value) {
        float noise = p->found[value], kept, lost;
        if (p->contexts == 2u && value / plane % p->channels < p->guided) {
            const float unguided = p->found[p->values + value];
            const float difference = noise - unguided;
            const float product = p->guidance * difference;
            noise = unguided + product;
        }
        kept = from_x * p->image[value];
        lost = from_noise * noise;
        clean[value] = kept - lost;
        if (p->clips && clean[value] > 1.0f) clean[value] = 1.0f;
        if (p->clips && clean[value] < -1.0f) clean[value] = -1.0f;
    }
    for (value = 0; value < p->values; ++value) {
        float sum = begun * number(p->noise, value);
        for (earlier = 0; earlier <= step; ++earlier) {
            const float product = number(p->sampler, row + 3u + earlier) * p->clean[(size_t)earlier * p->values + value];
            sum = sum + product;
        }
        p->image[value] = sum;
    }
}

radit_result radit_generate(radit_device *device, uint32_t image, float *picture, float *work, size_t work_floats,
                            uint32_t looks, radit_after_step after, void *context) {
    const radit_model *model = &device->model;
    part p;
    uint32_t step, side, value;
    radit_result result = radit_image(device, image);
    if (result != RADIT_OK) return result;
    if (!read_sizes(&p, model) || !read_sections(&p, model, image)) return RADIT_FILE_WRONG;
    if (work_floats < radit_work_floats(model)) return RADIT_NO_WORK_SPACE;
    share_out(&p, work);
    for (value = 0; value < p.values; ++value) p.image[value] = number(p.noise, value);
    for (step = 0; step < p.steps; ++step) {
        embed(&p);
        if ((result = radit_write_x(device, p.x)) != RADIT_OK) return result;
        if ((result = radit_start(device, step)) != RADIT_OK) return result;
        if ((result = radit_wait(device, looks)) != RADIT_OK) return result;
        if ((result = radit_read_x(device, p.x_out)) != RADIT_OK) return result;
        for (side = 0; side < p.contexts; ++side) predict(&p, side, step);
        move(&p, step);
        if (after && after(context, step, p.x, p.x_out)) return RADIT_TIMEOUT;
    }
    memcpy(picture, p.image, p.values * sizeof *picture);
    return RADIT_OK;
}
