/* The program of the soft core: the C driver makes every image of a packed model, polling or by interrupt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "generate.h"

#define RADIT ((volatile uint32_t *)0x80000000u)   /* registers of the accelerator */
#define SYSTEM ((volatile uint32_t *)0x90000000u)  /* of the simulated system */
#define EXIT 0                                     /* written: the program is over */
#define STEP 1                                     /* written: a timestep is over */
#define RESPONSE 2                                 /* read: what the bus answered to the last access */
#define IRQ_MASK 8u                                /* the accelerator's interrupt */

/* What the simulation wrote there. */
typedef struct {
    uint32_t file, file_bytes, memory, room, work, work_floats, pictures, by_interrupt, looks;
} mailbox;

uint32_t mask_interrupts(uint32_t mask);
void wait_for_interrupt(void);
void service(void);
int main(void);

static radit_device device;

static int read_register(void *context, uint32_t offset, uint32_t *value) {
    (void)context;
    *value = RADIT[offset / 4u];
    return SYSTEM[RESPONSE] != 0;
}

static int write_register(void *context, uint32_t offset, uint32_t value) {
    (void)context;
    RADIT[offset / 4u] = value;
    return SYSTEM[RESPONSE] != 0;
}

static void copy(volatile uint8_t *to, const volatile uint8_t *from, size_t count) {
    while (count--) *to++ = *from++;
}

/* Processor and accelerator share one memory, without caches. */
static int to_device(void *context, uint64_t address, const void *bytes, size_t count) {
    (void)context;
    copy((volatile uint8_t *)(uintptr_t)address, (const volatile uint8_t *)bytes, count);
    return 0;
}

static int from_device(void *context, void *bytes, uint64_t address, size_t count) {
    (void)context;
    copy((volatile uint8_t *)bytes, (const volatile uint8_t *)(uintptr_t)address, count);
    return 0;
}

static int pause_core(void *context) {
    (void)context;
    if (device.by_interrupt) {
        (void)mask_interrupts(~0u);
        if (!device.pending) wait_for_interrupt();
        (void)mask_interrupts(~IRQ_MASK); /* now it is taken */
    }
    return 0;
}

void service(void) { radit_interrupt(&device); }

static int told(void *context, uint32_t step, const int16_t *x_in, const int16_t *x_out) {
    (void)context;
    (void)x_in;
    (void)x_out;
    SYSTEM[STEP] = step;
    return 0;
}

int main(void) {
    static const radit_platform platform = {NULL, read_register, write_register, to_device, from_device, pause_core};
    const mailbox *given = (const mailbox *)(uintptr_t)MAILBOX;
    float *pictures = (float *)(uintptr_t)given->pictures;
    radit_result result = radit_probe(&device, &platform);
    uint32_t image;
    if (result == RADIT_OK) {
        result = radit_load(&device, (const void *)(uintptr_t)given->file, given->file_bytes, given->memory, given->room);
    }
    if (given->by_interrupt) {
        radit_use_interrupt(&device, 1);
        (void)mask_interrupts(~IRQ_MASK);
    }
    for (image = 0; result == RADIT_OK && image < device.model.images; ++image) {
        result = radit_generate(&device, image, pictures, (float *)(uintptr_t)given->work, given->work_floats,
                                given->looks, told, NULL);
        pictures += radit_image_floats(&device.model);
    }
    SYSTEM[EXIT] = (uint32_t)result;
    return 0;
}
