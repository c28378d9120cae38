# Reset at 0, interrupts at 0x10: PicoRV32 with its own interrupt instructions (its README, "Custom Instructions").

.equ CUSTOM, 0x0b
.equ SAVED, 64

.section .start, "ax"
.globl start
start:
    j reset

.balign 16
interrupt: # q0 has where to go on; no other interrupt comes until retirq
    addi sp, sp, -SAVED
    sw ra, 0(sp)
    sw t0, 4(sp)
    sw t1, 8(sp)
    sw t2, 12(sp)
    sw a0, 16(sp)
    sw a1, 20(sp)
    sw a2, 24(sp)
    sw a3, 28(sp)
    sw a4, 32(sp)
    sw a5, 36(sp)
    sw a6, 40(sp)
    sw a7, 44(sp)
    sw t3, 48(sp)
    sw t4, 52(sp)
    sw t5, 56(sp)
    sw t6, 60(sp)
    call service
    lw ra, 0(sp)
    lw t0, 4(sp)
    lw t1, 8(sp)
    lw t2, 12(sp)
    lw a0, 16(sp)
    lw a1, 20(sp)
    lw a2, 24(sp)
    lw a3, 28(sp)
    lw a4, 32(sp)
    lw a5, 36(sp)
    lw a6, 40(sp)
    lw a7, 44(sp)
    lw t3, 48(sp)
    lw t4, 52(sp)
    lw t5, 56(sp)
    lw t6, 60(sp)
    addi sp, sp, SAVED
    .insn r CUSTOM, 0, 2, x0, x0, x0 # retirq

reset:
    la sp, stack_top
    la a0, bss_begin
    la a1, bss_end
1:  bgeu a0, a1, 2f
    sw zero, 0(a0)
    addi a0, a0, 4
    j 1b
2:  call main
3:  j 3b

# uint32_t mask_interrupts(uint32_t mask): the mask before
.globl mask_interrupts
mask_interrupts:
    .insn r CUSTOM, 6, 3, a0, a0, x0 # maskirq a0, a0
    ret

# void wait_for_interrupt(void): until one is pending, masked or not
.globl wait_for_interrupt
wait_for_interrupt:
    .insn r CUSTOM, 4, 4, a0, x0, x0 # waitirq a0
    ret
