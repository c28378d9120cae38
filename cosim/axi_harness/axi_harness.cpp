// The verilated accelerator behind AXI with a memory and a host's bus, as C functions: those of radit_platform
// (accel/host/radit_driver.h), and what a test changes around them. RADIT_BEAT_BYTES comes from axi_config.h.
#include "Vradit.h"
#include "axi_config.h"
#include "axi_memory.h"
#include "verilated.h"

#include <new>

namespace {

constexpr int RESET_CYCLES = 40;
constexpr uint64_t MOST_ACCESS_CYCLES = 10000;  // an access that takes longer is answered with an error

struct System {
    VerilatedContext context;
    Vradit top{&context, "radit"};
    radit::AxiMemory<RADIT_BEAT_BYTES> memory;
    uint64_t cycles = 0, interrupts = 0, accesses = 0;
    uint64_t pause_cycles = 100;
    uint64_t cycle_limit = UINT64_MAX;  // `pause` then says that the time is over
    bool had_irq = false;

    System() { context.randReset(0); }

    // A cycle, in two steps: everything shown and settled; what the clock's edge moves.
    void settle() {
        memory.show(top);
        top.clk = 0;
        top.eval();
    }
    void move() {
        memory.take(top);
        top.clk = 1;
        top.eval();
        ++cycles;
        if (top.irq && !had_irq) ++interrupts;
        had_irq = top.irq;
    }
    void edge() {
        settle();
        move();
    }

    void reset() {
        top.aresetn = 0;
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
        top.s_axil_bready = top.s_axil_rready = 0;
        memory.clear();
        for (int i = 0; i < RESET_CYCLES; ++i) edge();
        memory.clear();
        top.aresetn = 1;
        edge();
    }

    int write(uint32_t offset, uint32_t value) {
        bool address_left = true, data_left = true;
        ++accesses;
        top.s_axil_awaddr = offset;
        top.s_axil_wdata = value;
        top.s_axil_wstrb = 15;
        top.s_axil_bready = 1;
        for (uint64_t cycle = 0; cycle < MOST_ACCESS_CYCLES; ++cycle) {
            top.s_axil_awvalid = address_left;
            top.s_axil_wvalid = data_left;
            settle();
            if (address_left && top.s_axil_awready) address_left = false;
            if (data_left && top.s_axil_wready) data_left = false;
            const bool is_over = top.s_axil_bvalid;
            const int response = top.s_axil_bresp;
            move();
            if (is_over) {
                top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
                return response;
            }
        }
        return radit::DECERR;
    }

    int read(uint32_t offset, uint32_t* value) {
        bool is_left = true;
        ++accesses;
        top.s_axil_araddr = offset;
        top.s_axil_rready = 1;
        for (uint64_t cycle = 0; cycle < MOST_ACCESS_CYCLES; ++cycle) {
            top.s_axil_arvalid = is_left;
            settle();
            if (is_left && top.s_axil_arready) is_left = false;
            const bool is_over = top.s_axil_rvalid;
            const int response = top.s_axil_rresp;
            *value = top.s_axil_rdata;
            move();
            if (is_over) {
                top.s_axil_arvalid = top.s_axil_rready = 0;
                return response;
            }
        }
        return radit::DECERR;
    }
};

}  // namespace

extern "C" {

System* radit_axi_create(const radit::MemoryTiming* timing, uint8_t* words, uint64_t origin, uint64_t size) {
    System* s = new (std::nothrow) System;
    if (s) {
        s->memory.timing = *timing;
        s->memory.words = words;
        s->memory.origin = origin;
        s->memory.size = size;
        s->reset();
    }
    return s;
}
void radit_axi_destroy(System* s) {
    s->top.final();
    delete s;
}
void radit_axi_reset(System* s) { s->reset(); }

// Those of radit_platform.
int radit_axi_read(void* context, uint32_t offset, uint32_t* value) {
    return static_cast<System*>(context)->read(offset, value);
}
int radit_axi_write(void* context, uint32_t offset, uint32_t value) {
    return static_cast<System*>(context)->write(offset, value);
}
int radit_axi_to_device(void* context, uint64_t address, const void* bytes, size_t count) {
    auto& memory = static_cast<System*>(context)->memory;
    if (address < memory.origin || count > memory.size || address - memory.origin > memory.size - count) return 1;
    memcpy(memory.words + (address - memory.origin), bytes, count);
    return 0;
}
int radit_axi_from_device(void* context, void* bytes, uint64_t address, size_t count) {
    auto& memory = static_cast<System*>(context)->memory;
    if (address < memory.origin || count > memory.size || address - memory.origin > memory.size - count) return 1;
    memcpy(bytes, memory.words + (address - memory.origin), count);
    return 0;
}
// Until the interrupt, or for as many cycles as were set.
int radit_axi_pause(void* context) {
    auto& s = *static_cast<System*>(context);
    for (uint64_t cycle = 0; cycle < s.pause_cycles && !s.top.irq; ++cycle) s.edge();
    return s.cycles >= s.cycle_limit;
}

void radit_axi_set(System* s, uint64_t pause_cycles, uint64_t cycle_limit) {
    s->pause_cycles = pause_cycles;
    s->cycle_limit = cycle_limit;
}
void radit_axi_refuse(System* s, uint64_t from, uint64_t to) {
    s->memory.bad_from = from;
    s->memory.bad_to = to;
}
void radit_axi_silence(System* s, int is_silent) { s->memory.is_silent = is_silent; }
int radit_axi_irq(System* s) { return s->top.irq; }

// cycles, interrupts, accesses of the host, bursts and beats of reads and of writes, most reads on their way.
void radit_axi_counts(System* s, uint64_t* counts) {
    const auto& m = s->memory;
    const uint64_t found[] = {s->cycles,      s->interrupts,   s->accesses,   m.read_bursts,
                              m.read_beats,   m.write_bursts,  m.write_beats, m.most_reading};
    memcpy(counts, found, sizeof found);
}
// The rule of the bus that was broken, or null.
const char* radit_axi_broken(System* s) { return s->memory.broken; }

}  // extern "C"
