// A soft core and the accelerator behind AXI on one memory, as C functions (cosim/drive/soft_core.py).
// The core's program writes registers of this simulation at 0x9000_0000: EXIT, STEP; it reads RESPONSE.
#include "Vradit.h"
#include "axi_config.h"
#include "axi_memory.h"
#include "verilated.h"

#include <new>

namespace {

constexpr int RESET_CYCLES = 40;
constexpr uint32_t SYSTEM = 0x90000000u, EXIT = 0, STEP = 4, RESPONSE = 8;

enum State : int { RUNNING, EXITED, TRAPPED, OUTSIDE };

struct CoreSystem {
    VerilatedContext context;
    Vradit top{&context, "radit"};
    radit::AxiMemory<RADIT_BEAT_BYTES> memory;
    uint64_t cycles = 0, interrupts = 0, steps = 0;
    uint32_t exit_code = 0;
    State state = RUNNING;
    bool had_irq = false, is_ready = false;
    uint32_t data = 0;

    CoreSystem() { context.randReset(0); }

    void edge() {
        memory.show(top);
        top.cpu_ready = is_ready;
        top.cpu_rdata = data;
        top.clk = 0;
        top.eval();
        const bool asks = top.cpu_valid && !is_ready && top.aresetn;
        if (asks) access(top.cpu_addr, top.cpu_wdata, top.cpu_wstrb);
        is_ready = asks;
        memory.take(top);
        top.clk = 1;
        top.eval();
        ++cycles;
        if (top.irq && !had_irq) ++interrupts;
        had_irq = top.irq;
        if (top.trap && top.aresetn && state == RUNNING) state = TRAPPED;
    }

    void access(uint32_t address, uint32_t value, uint32_t strobes) {
        if (address >= SYSTEM) {
            if (!strobes) data = address - SYSTEM == RESPONSE ? top.device_response : 0;
            if (strobes && address - SYSTEM == STEP) ++steps;
            if (strobes && address - SYSTEM == EXIT) {
                exit_code = value;
                state = EXITED;
            }
            return;
        }
        const uint64_t place = address & ~3u;
        if (place + 4 > memory.size) {
            state = OUTSIDE;
            return;
        }
        for (int byte = 0; byte < 4; ++byte) {
            if (strobes >> byte & 1) memory.words[place + byte] = uint8_t(value >> 8 * byte);
        }
        if (!strobes) memcpy(&data, memory.words + place, 4);
    }

    void reset() {
        top.aresetn = 0;
        memory.clear();
        for (int i = 0; i < RESET_CYCLES; ++i) edge();
        memory.clear();
        top.aresetn = 1;
        state = RUNNING;
        cycles = interrupts = steps = 0;
    }
};

}  // namespace

extern "C" {

CoreSystem* radit_core_create(const radit::MemoryTiming* timing, uint8_t* words, uint64_t size) {
    CoreSystem* s = new (std::nothrow) CoreSystem;
    if (s) {
        s->memory.timing = *timing;
        s->memory.words = words;
        s->memory.size = size;
        s->reset();
    }
    return s;
}
void radit_core_destroy(CoreSystem* s) {
    s->top.final();
    delete s;
}
// Runs until the program is over, at most so many cycles; returns the State.
int radit_core_run(CoreSystem* s, uint64_t cycles) {
    for (uint64_t cycle = 0; cycle < cycles && s->state == RUNNING; ++cycle) s->edge();
    return s->state;
}
// Exit code, cycles, interrupts, timesteps.
void radit_core_counts(CoreSystem* s, uint64_t* counts) {
    counts[0] = s->exit_code;
    counts[1] = s->cycles;
    counts[2] = s->interrupts;
    counts[3] = s->steps;
}
const char* radit_core_broken(CoreSystem* s) { return s->memory.broken; }

}  // extern "C"
