/* What a program in another language must know to call the C driver. */
#include "glue.h"

size_t radit_device_bytes(void) { return sizeof(radit_device); }

const radit_model *radit_model_of(const radit_device *device) { return &device->model; }
