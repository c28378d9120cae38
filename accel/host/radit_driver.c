/* Driver of the RADiT accelerator behind AXI; radit_driver.h says what each call does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "radit_driver.h"

#include <string.h>

/* -- numbers of the file ---------------------------------------------------------------------------------------- */

uint32_t radit_u32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint64_t radit_u64(const uint8_t *bytes) { return radit_u32(bytes) | (uint64_t)radit_u32(bytes + 4) << 32; }

/* The CRC of Ethernet and zip, four bits at a time. */
uint32_t radit_crc32(const uint8_t *bytes, size_t count) {
    static const uint32_t table[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
    };
    uint32_t crc = 0xffffffffu;
    size_t place;
    for (place = 0; place < count; ++place) {
        crc ^= bytes[place];
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return ~crc;
}

const char *radit_text(radit_result result) {
#define RADIT_TEXT(NAME, CODE, TEXT) TEXT,
    static const char *const texts[] = {RADIT_RESULTS(RADIT_TEXT)};
#undef RADIT_TEXT
    return (unsigned)result < (unsigned)RADIT_RESULT_COUNT ? texts[result] : "an unknown result";
}

static radit_result fail(radit_failure *failure, radit_result result, uint32_t offset, uint32_t found, uint32_t wanted) {
    failure->result = result;
    failure->offset = offset;
    failure->found = found;
    failure->wanted = wanted;
    return result;
}

/* -- the packed model ------------------------------------------------------------------------------------------- */

static uint32_t header(const radit_model *model, uint32_t field) { return radit_u32(model->bytes + field); }

static const uint8_t *register_entry(const radit_model *model, uint32_t number) {
    return model->bytes + RADIT_HEADER_SIZE + (size_t)number * RADIT_REGISTER_SIZE;
}

static radit_section section_entry(const radit_model *model, uint32_t number) {
    const uint8_t *entry = register_entry(model, model->registers) + (size_t)number * RADIT_SECTION_SIZE;
    radit_section found;
    found.kind = radit_u32(entry + RADIT_SECTION_KIND);
    found.base = radit_u32(entry + RADIT_SECTION_BASE);
    found.image = radit_u32(entry + RADIT_SECTION_IMAGE);
    found.crc = radit_u32(entry + RADIT_SECTION_CRC);
    found.offset = radit_u64(entry + RADIT_SECTION_OFFSET);
    found.bytes = radit_u64(entry + RADIT_SECTION_BYTES);
    return found;
}

static uint64_t aligned(uint64_t bytes) { return (bytes + RADIT_PAGE_BYTES - 1u) / RADIT_PAGE_BYTES * RADIT_PAGE_BYTES; }

/* Room for one memory: the largest of its sections; images have their own content in the same place. */
static int place_memory(radit_memory *memories, uint32_t *count, uint32_t base, uint64_t bytes) {
    uint32_t number;
    for (number = 0; number < *count && memories[number].base != base; ++number) {
    }
    if (number == *count) {
        if (number == RADIT_MOST_MEMORIES) return 0;
        memories[number].base = base;
        memories[number].bytes = 0;
        memories[number].address = 0;
        ++*count;
    }
    if (memories[number].bytes < bytes) memories[number].bytes = bytes;
    return 1;
}

static uint64_t lay_out(const radit_model *model, radit_memory *memories, uint32_t *count, uint64_t address) {
    uint64_t begun = address;
    uint32_t number;
    *count = 0;
    for (number = 0; number < model->sections; ++number) {
        radit_section section = section_entry(model, number);
        if (section.base) (void)place_memory(memories, count, section.base, section.bytes);
    }
    for (number = 0; number < *count; ++number) {
        memories[number].address = address;
        address += aligned(memories[number].bytes);
    }
    return address - begun;
}

static radit_result check_sections(const radit_model *model, radit_failure *failure) {
    radit_memory memories[RADIT_MOST_MEMORIES];
    uint32_t number, count = 0, x_sections = 0;
    const uint64_t most = (uint64_t)1 << 60; /* sums of sizes do not overflow */
    for (number = 0; number < model->sections; ++number) {
        radit_section section = section_entry(model, number);
        const uint32_t offset = (uint32_t)(register_entry(model, model->registers) - model->bytes) +
                                number * RADIT_SECTION_SIZE;
        const int is_x = section.kind == RADIT_KIND_X_IN || section.kind == RADIT_KIND_X_OUT;
        const int is_room = is_x || section.kind == RADIT_KIND_ROOM;
        if (section.bytes > most / RADIT_MOST_SECTIONS || (is_room && section.offset) || (is_room && !section.base) ||
            (section.image != RADIT_ALL_IMAGES && section.image >= model->images) ||
            (is_x && section.bytes < model->x_bytes) || (section.kind == RADIT_KIND_MEMORY && !section.base) ||
            section.base % 4u || (section.base && !place_memory(memories, &count, section.base, section.bytes))) {
            return fail(failure, RADIT_FILE_WRONG, offset, section.kind, 0);
        }
        if (is_x) x_sections |= 1u << (section.kind == RADIT_KIND_X_OUT);
        if (is_room) continue;
        if (section.offset % RADIT_SECTION_ALIGNMENT || section.offset < header(model, RADIT_HEADER_DIRECTORY_BYTES) ||
            section.offset > model->size || section.bytes > model->size - section.offset) {
            return fail(failure, RADIT_FILE_WRONG, offset, section.kind, 0);
        }
        if (radit_crc32(model->bytes + section.offset, (size_t)section.bytes) != section.crc) {
            return fail(failure, RADIT_FILE_DAMAGED, offset, section.kind, section.crc);
        }
    }
    return x_sections == 3u ? RADIT_OK : fail(failure, RADIT_FILE_WRONG, 0, x_sections, 3u);
}

radit_result radit_check(radit_model *model, const void *bytes, size_t size, radit_failure *failure) {
    uint32_t directory, number;
    memset(model, 0, sizeof *model);
    memset(failure, 0, sizeof *failure);
    model->bytes = (const uint8_t *)bytes;
    model->size = size;
    if (!bytes || size < RADIT_HEADER_SIZE) {
        const int is_model = bytes && size >= 4u && radit_u32(model->bytes) == RADIT_FILE_MAGIC;
        return fail(failure, is_model ? RADIT_FILE_SIZE : RADIT_NOT_A_MODEL, 0, (uint32_t)size, RADIT_HEADER_SIZE);
    }
    if (header(model, RADIT_HEADER_MAGIC) != RADIT_FILE_MAGIC) {
        return fail(failure, RADIT_NOT_A_MODEL, 0, header(model, RADIT_HEADER_MAGIC), RADIT_FILE_MAGIC);
    }
    if (header(model, RADIT_HEADER_VERSION) >> 16 != RADIT_FILE_VERSION) {
        return fail(failure, RADIT_FILE_VERSION_DIFFERS, RADIT_HEADER_VERSION, header(model, RADIT_HEADER_VERSION) >> 16,
                    RADIT_FILE_VERSION);
    }
    if (radit_u64(model->bytes + RADIT_HEADER_FILE_BYTES) != size) {
        return fail(failure, RADIT_FILE_SIZE, RADIT_HEADER_FILE_BYTES, (uint32_t)size,
                    header(model, RADIT_HEADER_FILE_BYTES));
    }
    model->registers = header(model, RADIT_HEADER_REGISTERS);
    model->sections = header(model, RADIT_HEADER_SECTIONS);
    directory = header(model, RADIT_HEADER_DIRECTORY_BYTES);
    if (model->registers > RADIT_MOST_REGISTERS || model->sections > RADIT_MOST_SECTIONS || directory > size ||
        directory != RADIT_HEADER_SIZE + model->registers * RADIT_REGISTER_SIZE + model->sections * RADIT_SECTION_SIZE) {
        return fail(failure, RADIT_FILE_DAMAGED, RADIT_HEADER_DIRECTORY_BYTES, directory, 0);
    }
    if (radit_crc32(model->bytes + RADIT_HEADER_FILE_BYTES, directory - RADIT_HEADER_FILE_BYTES) !=
        header(model, RADIT_HEADER_DIRECTORY_CRC)) {
        return fail(failure, RADIT_FILE_DAMAGED, RADIT_HEADER_DIRECTORY_CRC, 0, 0);
    }
    model->images = header(model, RADIT_HEADER_IMAGES);
    model->steps = header(model, RADIT_HEADER_STEPS);
    model->mod_words = header(model, RADIT_HEADER_MOD_WORDS);
    model->param_words = header(model, RADIT_HEADER_PARAM_WORDS);
    model->x_bytes = header(model, RADIT_HEADER_X_BYTES);
    for (number = 0; number < model->registers; ++number) {
        const uint8_t *entry = register_entry(model, number);
        const uint32_t image = radit_u32(entry + RADIT_REGISTER_IMAGE);
        if (radit_u32(entry) % 4u || (image != RADIT_ALL_IMAGES && image >= model->images)) {
            return fail(failure, RADIT_FILE_WRONG, (uint32_t)(entry - model->bytes), radit_u32(entry), 0);
        }
    }
    return check_sections(model, failure);
}

uint64_t radit_memory_bytes(const radit_model *model) {
    radit_memory memories[RADIT_MOST_MEMORIES];
    uint32_t count;
    return lay_out(model, memories, &count, 0);
}

const uint8_t *radit_content(const radit_model *model, uint32_t kind, uint32_t image, uint64_t *bytes) {
    uint32_t number;
    for (number = 0; number < model->sections; ++number) {
        radit_section section = section_entry(model, number);
        if (section.kind == kind && section.image == image && section.offset) {
            *bytes = section.bytes;
            return model->bytes + section.offset;
        }
    }
    *bytes = 0;
    return NULL;
}

/* -- registers -------------------------------------------------------------------------------------------------- */

static radit_result read_register(radit_device *device, uint32_t offset, uint32_t *value) {
    if (device->platform->read(device->platform->context, offset, value)) {
        *value = 0;
        return fail(&device->failure, RADIT_BUS, offset, 0, 0);
    }
    return RADIT_OK;
}

static radit_result write_register(radit_device *device, uint32_t offset, uint32_t value) {
    if (device->platform->write(device->platform->context, offset, value)) {
        return fail(&device->failure, RADIT_BUS, offset, value, 0);
    }
    return RADIT_OK;
}

#define TRY(CALL)                               \
    do {                                        \
        const radit_result tried = (CALL);      \
        if (tried != RADIT_OK) return tried;    \
    } while (0)

static radit_result expect(radit_device *device, uint32_t offset, uint32_t shift, uint32_t wanted, radit_result otherwise) {
    uint32_t value;
    TRY(read_register(device, offset, &value));
    if (value >> shift != wanted) return fail(&device->failure, otherwise, offset, value >> shift, wanted);
    return RADIT_OK;
}

radit_result radit_probe(radit_device *device, const radit_platform *platform) {
    radit_build *build = &device->build;
    uint32_t array, bus;
    memset(device, 0, sizeof *device);
    device->platform = platform;
    TRY(expect(device, RADIT_REG_BUS_IDENTIFICATION, 0, RADIT_WRAPPER_IDENTIFICATION, RADIT_NO_DEVICE));
    TRY(expect(device, RADIT_REG_IDENTIFICATION, 0, RADIT_IDENTIFICATION, RADIT_NO_DEVICE));
    TRY(expect(device, RADIT_REG_BUS_WRAPPER_VERSION, 16, RADIT_WRAPPER_VERSION, RADIT_DEVICE_VERSION));
    TRY(expect(device, RADIT_REG_VERSION, 16, RADIT_REGISTER_VERSION, RADIT_DEVICE_VERSION));
    TRY(read_register(device, RADIT_REG_ARRAY, &array));
    TRY(read_register(device, RADIT_REG_BUS_BUS, &bus));
    build->rows = array & 0xffu;
    build->cols = array >> 8 & 0xffu;
    build->products = array >> 16 & 0xffu;
    build->frame_banks = array >> 24;
    build->data_bits = bus & 0xffffu;
    build->address_bits = bus >> 16 & 0xffu;
    TRY(read_register(device, RADIT_REG_MAX_HIDDEN, &build->hidden));
    TRY(read_register(device, RADIT_REG_MAX_MLP, &build->mlp));
    TRY(read_register(device, RADIT_REG_MAX_TOKENS, &build->tokens));
    TRY(read_register(device, RADIT_REG_MAX_CONTEXTS, &build->contexts));
    TRY(read_register(device, RADIT_REG_MAX_SUB_BLOCKS, &build->sub_blocks));
    TRY(read_register(device, RADIT_REG_MAX_TEXT, &build->text));
    TRY(read_register(device, RADIT_REG_MAX_FRAMES, &build->frames));
    device->is_probed = 1;
    return RADIT_OK;
}

/* -- a model on an accelerator ---------------------------------------------------------------------------------- */

static radit_result check_build(radit_device *device, const radit_model *model) {
    const radit_build *build = &device->build;
    const struct {
        uint32_t field, has;
    } same[] = {{RADIT_HEADER_ROWS, build->rows}, {RADIT_HEADER_COLS, build->cols}, {RADIT_HEADER_PRODUCTS, build->products}},
      most[] = {
          {RADIT_HEADER_FRAME_BANKS, build->frame_banks}, {RADIT_HEADER_HIDDEN, build->hidden},
          {RADIT_HEADER_MLP, build->mlp},                 {RADIT_HEADER_TOKENS, build->tokens},
          {RADIT_HEADER_CONTEXTS, build->contexts},       {RADIT_HEADER_SUB_BLOCKS, build->sub_blocks},
          {RADIT_HEADER_TEXT, build->text},               {RADIT_HEADER_FRAMES, build->frames},
      };
    const uint32_t text = header(model, RADIT_HEADER_TEXT);
    size_t number;
    if (header(model, RADIT_HEADER_REGISTER_VERSION) != RADIT_REGISTER_VERSION ||
        header(model, RADIT_HEADER_WRAPPER_VERSION) != RADIT_WRAPPER_VERSION) {
        return fail(&device->failure, RADIT_DEVICE_VERSION, RADIT_HEADER_REGISTER_VERSION, RADIT_REGISTER_VERSION,
                    header(model, RADIT_HEADER_REGISTER_VERSION));
    }
    for (number = 0; number < sizeof same / sizeof *same; ++number) {
        const uint32_t wanted = header(model, same[number].field);
        if (same[number].has != wanted) {
            return fail(&device->failure, RADIT_OTHER_ARRAY, same[number].field, same[number].has, wanted);
        }
    }
    if (!text != !build->text) {
        return fail(&device->failure, RADIT_OTHER_ARRAY, RADIT_HEADER_TEXT, build->text, text);
    }
    for (number = 0; number < sizeof most / sizeof *most; ++number) {
        const uint32_t wanted = header(model, most[number].field);
        if (most[number].has < wanted) {
            return fail(&device->failure, RADIT_BUILD_TOO_SMALL, most[number].field, most[number].has, wanted);
        }
    }
    return RADIT_OK;
}

static uint64_t address_of(const radit_device *device, uint32_t base) {
    uint32_t number;
    for (number = 0; device->memories[number].base != base; ++number) {
    }
    return device->memories[number].address;
}

/* Content of the memories, and registers, of one image or of all. */
static radit_result put(radit_device *device, uint32_t image) {
    const radit_platform *platform = device->platform;
    const radit_model *model = &device->model;
    uint32_t number;
    for (number = 0; number < model->sections; ++number) {
        const radit_section section = section_entry(model, number);
        if (section.kind != RADIT_KIND_MEMORY || section.image != image) continue;
        if (platform->to_device(platform->context, address_of(device, section.base), model->bytes + section.offset,
                                (size_t)section.bytes)) {
            return fail(&device->failure, RADIT_BUS, section.base, 0, 0);
        }
    }
    for (number = 0; number < model->registers; ++number) {
        const uint8_t *entry = register_entry(model, number);
        if (radit_u32(entry + RADIT_REGISTER_IMAGE) != image) continue;
        TRY(write_register(device, radit_u32(entry + RADIT_REGISTER_ADDRESS), radit_u32(entry + RADIT_REGISTER_VALUE)));
    }
    return RADIT_OK;
}

static radit_result check_idle(radit_device *device) {
    uint32_t busy;
    TRY(read_register(device, RADIT_REG_BUS_RUN_STATUS, &busy));
    return busy ? fail(&device->failure, RADIT_BUSY, RADIT_REG_BUS_RUN_STATUS, busy, 0) : RADIT_OK;
}

/* Forgets what an earlier program may have left: pending interrupts, and an error. */
static radit_result clear(radit_device *device) {
    uint32_t status;
    TRY(read_register(device, RADIT_REG_STATUS, &status));
    TRY(write_register(device, RADIT_REG_STATUS, status));
    TRY(write_register(device, RADIT_REG_BUS_IRQ_STATUS, RADIT_IRQ_DONE | RADIT_IRQ_FAULT));
    return write_register(device, RADIT_REG_BUS_IRQ_ENABLE, RADIT_IRQ_DONE | RADIT_IRQ_FAULT);
}

radit_result radit_load(radit_device *device, const void *bytes, size_t size, uint64_t address, uint64_t room) {
    radit_model model;
    radit_failure *failure = &device->failure;
    uint64_t needed;
    uint32_t number;
    if (!device->is_probed) return fail(failure, RADIT_ORDER, 0, 0, 0);
    if (device->is_running) return fail(failure, RADIT_BUSY, 0, 0, 0);
    device->is_loaded = device->has_image = 0;
    TRY(radit_check(&model, bytes, size, failure));
    TRY(check_build(device, &model));
    if (address % RADIT_PAGE_BYTES) return fail(failure, RADIT_ALIGNMENT, 0, (uint32_t)address, RADIT_PAGE_BYTES);
    needed = lay_out(&model, device->memories, &device->memory_count, address);
    if (needed > room) return fail(failure, RADIT_NO_ROOM, 0, (uint32_t)room, (uint32_t)needed);
    if (address + needed < address ||
        (device->build.address_bits < 64u && (address + needed - 1u) >> device->build.address_bits)) {
        return fail(failure, RADIT_ADDRESS, 0, (uint32_t)(address >> 32), device->build.address_bits);
    }
    TRY(check_idle(device));
    TRY(clear(device));
    device->model = model;
    for (number = 0; number < device->memory_count; ++number) {
        const radit_memory *memory = &device->memories[number];
        TRY(write_register(device, memory->base, (uint32_t)memory->address));
        TRY(write_register(device, memory->base + 4u, (uint32_t)(memory->address >> 32)));
    }
    for (number = 0; number < model.sections; ++number) {
        const radit_section section = section_entry(&model, number);
        if (section.kind == RADIT_KIND_X_IN) device->x_in = address_of(device, section.base);
        if (section.kind == RADIT_KIND_X_OUT) device->x_out = address_of(device, section.base);
    }
    TRY(put(device, RADIT_ALL_IMAGES));
    device->is_loaded = 1;
    return RADIT_OK;
}

static radit_result check_ready(radit_device *device, int needs_image) {
    if (!device->is_loaded || (needs_image && !device->has_image)) return fail(&device->failure, RADIT_ORDER, 0, 0, 0);
    if (device->is_running) return fail(&device->failure, RADIT_BUSY, 0, 0, 0);
    return RADIT_OK;
}

radit_result radit_image(radit_device *device, uint32_t image) {
    TRY(check_ready(device, 0));
    if (image >= device->model.images) {
        return fail(&device->failure, RADIT_NO_IMAGE, 0, image, device->model.images);
    }
    device->has_image = 0;
    TRY(put(device, image));
    TRY(write_register(device, RADIT_REG_CONTROL, RADIT_CONTROL_NEW_IMAGE));
    device->has_image = 1;
    return RADIT_OK;
}

radit_result radit_write_x(radit_device *device, const void *x) {
    const radit_platform *platform = device->platform;
    TRY(check_ready(device, 0));
    if (platform->to_device(platform->context, device->x_in, x, device->model.x_bytes)) {
        return fail(&device->failure, RADIT_BUS, 0, 0, 0);
    }
    return RADIT_OK;
}

radit_result radit_read_x(radit_device *device, void *x) {
    const radit_platform *platform = device->platform;
    TRY(check_ready(device, 0));
    if (platform->from_device(platform->context, x, device->x_out, device->model.x_bytes)) {
        return fail(&device->failure, RADIT_BUS, 0, 0, 0);
    }
    return RADIT_OK;
}

/* -- a timestep ------------------------------------------------------------------------------------------------- */

radit_result radit_start(radit_device *device, uint32_t step) {
    const radit_model *model = &device->model;
    TRY(check_ready(device, 1));
    if (step >= model->steps) return fail(&device->failure, RADIT_NO_STEP, 0, step, model->steps);
    TRY(write_register(device, RADIT_REG_MOD_BASE, step * model->mod_words));
    TRY(write_register(device, RADIT_REG_PARAM_BASE, step * model->param_words));
    device->pending = device->bus_error = device->status = 0;
    device->is_running = 1;
    if (write_register(device, RADIT_REG_CONTROL, RADIT_CONTROL_START) != RADIT_OK) {
        device->is_running = 0;
        return device->failure.result;
    }
    return RADIT_OK;
}

static radit_result take_interrupt(radit_device *device) {
    uint32_t pending, status = 0, error = 0;
    TRY(read_register(device, RADIT_REG_BUS_IRQ_STATUS, &pending));
    if (pending & RADIT_IRQ_FAULT) {
        TRY(read_register(device, RADIT_REG_BUS_ERROR, &error));
        TRY(read_register(device, RADIT_REG_STATUS, &status));
        TRY(write_register(device, RADIT_REG_STATUS, status));
        if (!device->bus_error) device->bus_error = error;
        if (!(device->status >> RADIT_STATUS_ERROR_SHIFT & 1u)) device->status = status;
    }
    if (pending) TRY(write_register(device, RADIT_REG_BUS_IRQ_STATUS, pending));
    device->pending |= pending;
    return RADIT_OK;
}

void radit_interrupt(radit_device *device) { (void)take_interrupt(device); }

void radit_use_interrupt(radit_device *device, int by_interrupt) { device->by_interrupt = by_interrupt; }

/* The failure of a timestep that is over. */
static radit_result outcome(radit_device *device) {
    const uint32_t status = device->status, error = device->bus_error & 7u;
    const uint32_t code = status >> RADIT_STATUS_CODE_SHIFT & RADIT_STATUS_CODE_MASK;
    radit_result result = RADIT_MEMORY;
    if (!(device->pending & RADIT_IRQ_FAULT)) return RADIT_OK;
    if (status >> RADIT_STATUS_ERROR_SHIFT & 1u) {
        result = code == RADIT_ERROR_WATCHDOG || code == RADIT_ERROR_ABORTED ? RADIT_ENDED : RADIT_REFUSED;
    } else if (error == RADIT_BUS_ERROR_BUSY || error == RADIT_BUS_ERROR_BASE) {
        result = RADIT_REFUSED;
    }
    (void)fail(&device->failure, result, 4u * (status >> RADIT_STATUS_PLACE_SHIFT), code, 0);
    device->failure.bus_error = device->bus_error;
    device->failure.status = status;
    return result;
}

radit_result radit_poll(radit_device *device, int *is_over) {
    uint32_t busy;
    *is_over = 0;
    if (!device->is_running) {
        *is_over = 1;
        return fail(&device->failure, RADIT_ORDER, 0, 0, 0);
    }
    if (!device->by_interrupt) TRY(take_interrupt(device));
    if (!(device->pending & RADIT_IRQ_DONE)) {
        if (!(device->pending & RADIT_IRQ_FAULT)) return RADIT_OK;
        TRY(read_register(device, RADIT_REG_BUS_RUN_STATUS, &busy)); /* an error alone: a refusal, or more to come */
        if (busy) return RADIT_OK;
        TRY(take_interrupt(device)); /* of an end since then */
    }
    *is_over = 1;
    device->is_running = 0;
    return outcome(device);
}

radit_result radit_wait(radit_device *device, uint32_t looks) {
    const radit_platform *platform = device->platform;
    int is_over = 0;
    do {
        const radit_result result = radit_poll(device, &is_over);
        if (is_over || result != RADIT_OK) return result;
        if (platform->pause && platform->pause(platform->context)) break;
    } while (looks-- > 1u);
    return fail(&device->failure, RADIT_TIMEOUT, RADIT_REG_BUS_RUN_STATUS, 1, 0);
}

radit_result radit_abort(radit_device *device, uint32_t looks) {
    radit_result result;
    if (!device->is_loaded) return fail(&device->failure, RADIT_ORDER, 0, 0, 0);
    device->has_image = 0;
    if (!device->is_running) return RADIT_OK;
    TRY(write_register(device, RADIT_REG_CONTROL, RADIT_CONTROL_ABORT));
    result = radit_wait(device, looks);
    return result == RADIT_ENDED || result == RADIT_MEMORY ? RADIT_OK : result;
}

const radit_failure *radit_last_failure(const radit_device *device) { return &device->failure; }
