/* Whole images with the driver: the host's arithmetic between two timesteps, in C99 without allocation.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The order of every float32 operation is that of accel/host/arithmetic.py, so that images are equal bit for bit.
 * Compile with -ffp-contract=off. Needs sqrtf.
 */
#ifndef RADIT_GENERATE_H
#define RADIT_GENERATE_H

#include "radit_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called after every timestep with the words of x; not 0: give up with RADIT_TIMEOUT. */
typedef int (*radit_after_step)(void *context, uint32_t step, const int16_t *x_in, const int16_t *x_out);

/* Floats of an image, and of the work space that radit_generate needs for the model; 0: it holds no host's part. */
size_t radit_image_floats(const radit_model *model);
size_t radit_work_floats(const radit_model *model);

/* Generates an image of the loaded model. `picture` takes radit_image_floats values in the order frame, channel, row,
 * column; `looks` are those of radit_wait for one timestep; `after` may be NULL. */
radit_result radit_generate(radit_device *device, uint32_t image, float *picture, float *work, size_t work_floats,
                            uint32_t looks, radit_after_step after, void *context);

#ifdef __cplusplus
}
#endif

#endif
