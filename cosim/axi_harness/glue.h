/* What a program in another language must know to call the C driver (cosim/drive/c_driver.py). */
#ifndef RADIT_GLUE_H
#define RADIT_GLUE_H

#include "radit_driver.h"

/* Bytes of a radit_device. */
size_t radit_device_bytes(void);

/* The loaded model. */
const radit_model *radit_model_of(const radit_device *device);

#endif
