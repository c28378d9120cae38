// The verilated accelerator with its surroundings, behind a C interface for ctypes (cosim/engines/verilator.py).
// Ports, widths and trace taps come from the generated harness_config.h (cosim/engines/harness_config.py).
#include "harness.h"

#include <new>

#include "Vradit.h"
#include "harness_config.h"
#include "verilated.h"
#if RADIT_WAVES_FST
#include "verilated_fst_c.h"
using Waves = VerilatedFstC;
#elif RADIT_WAVES_VCD
#include "verilated_vcd_c.h"
using Waves = VerilatedVcdC;
#endif

namespace radit {

constexpr int S_X = RADIT_PORTS;
constexpr int M_X = RADIT_PORTS + 1;
constexpr int RESET_CYCLES = 32;

struct Harness {
    VerilatedContext context;
    Vradit top{&context, "radit"};
#define MEMBER(NAME, INDEX, BYTES) \
    Memory<BYTES> NAME;            \
    Monitor<8> NAME##_command;
    RADIT_READ_PORTS(MEMBER)
    RADIT_WRITE_PORTS(MEMBER)
#undef MEMBER
#define MEMBER(NAME, INDEX, BYTES) Monitor<BYTES> NAME##_data;
    RADIT_WRITE_PORTS(MEMBER)
#undef MEMBER
    Monitor<RADIT_X_BYTES> m_x_data;
    Timing host_timing{};
    Dice source_dice, sink_dice;
    const uint8_t* x_in = nullptr;
    uint8_t* x_out = nullptr;
    uint64_t x_words = 0, x_sent = 0, x_received = 0;
    bool x_offered = false, x_ready = false;
    Buffer trace[RADIT_FIELDS];
    bool is_tracing = true;
    Failure failure{};
    uint64_t now = 0, busy_cycles = 0;
#if RADIT_WAVES
    Waves waves;
    bool is_dumping = false;
#endif

    void fail(Code code, int port, uint64_t address = 0, uint64_t length = 0, uint64_t limit = 0) {
        if (failure.code == NONE) failure = {code, port, address, length, limit, now};
    }

    void eval() {
        top.eval();
#if RADIT_WAVES
        if (is_dumping) waves.dump(context.time());
        context.timeInc(1);
#endif
    }

    void reset() {
        failure = {};
        now = 0;
#define CLEAR(NAME, INDEX, BYTES) \
    NAME.clear(INDEX);            \
    NAME##_command = {};          \
    top.m_##NAME##_cmd_tready = 0;
        RADIT_READ_PORTS(CLEAR)
        RADIT_WRITE_PORTS(CLEAR)
#undef CLEAR
#define CLEAR(NAME, INDEX, BYTES) top.s_##NAME##_tvalid = 0;
        RADIT_READ_PORTS(CLEAR)
#undef CLEAR
#define CLEAR(NAME, INDEX, BYTES) \
    NAME##_data = {};             \
    top.m_##NAME##_tready = 0;
        RADIT_WRITE_PORTS(CLEAR)
#undef CLEAR
        m_x_data = {};
        source_dice.seed(host_timing, S_X);
        sink_dice.seed(host_timing, M_X);
        x_words = x_sent = x_received = 0;
        x_offered = x_ready = false;
        top.s_x_tvalid = top.m_x_tready = 0;
        top.reg_write = 0;
        top.reg_addr = top.reg_wdata = 0;
        top.aresetn = 0;
        top.clk = 0;
        eval();
        for (int i = 0; i < RESET_CYCLES; ++i) {
            top.clk = 1;
            eval();
            top.clk = 0;
            eval();
        }
        top.aresetn = 1;
        eval();
    }

    template <class Port>
    void take_command(Port& memory, Monitor<8>& monitor, int port, bool valid, uint64_t address, uint64_t length) {
        const uint64_t payload = address << 32 | length;
        if (!monitor.holds(valid, memory.command_ready, &payload)) fail(UNSTABLE, port, 0);
        if (!valid || !memory.command_ready) return;
        if (!length) fail(EMPTY_COMMAND, port, address);
        else if (!memory.accept_command(address, length, now)) fail(OUT_OF_RANGE, port, address, length, memory.size);
    }

    // The transfers of this clock edge, seen before it.
    void sample_memories() {
#define SAMPLE(NAME, INDEX, BYTES)                                             \
    if (top.m_##NAME##_cmd_tvalid | NAME##_command.is_waiting)                 \
        take_command(NAME, NAME##_command, INDEX, top.m_##NAME##_cmd_tvalid, \
                     top.m_##NAME##_cmd_taddr, top.m_##NAME##_cmd_tlen);
        RADIT_READ_PORTS(SAMPLE)
        RADIT_WRITE_PORTS(SAMPLE)
#undef SAMPLE
#define SAMPLE(NAME, INDEX, BYTES)                                                            \
    if (top.m_##NAME##_tvalid | NAME##_data.is_waiting) {                                     \
        if (!NAME##_data.holds(top.m_##NAME##_tvalid, NAME.offered, &top.m_##NAME##_tdata)) \
            fail(UNSTABLE, INDEX, 1);                                                         \
        if (top.m_##NAME##_tvalid && NAME.offered) NAME.accept_word(&top.m_##NAME##_tdata); \
    }
        RADIT_WRITE_PORTS(SAMPLE)
#undef SAMPLE
    }

    void sample_x() {
        if (!(top.m_x_tvalid | m_x_data.is_waiting)) return;
        if (!m_x_data.holds(top.m_x_tvalid, x_ready, &top.m_x_tdata)) fail(UNSTABLE, M_X, 1);
        if (!top.m_x_tvalid || !x_ready) return;
        if (x_received == x_words) return fail(SURPLUS, M_X, x_received, 0, x_words);
        memcpy(x_out + x_received++ * RADIT_X_BYTES, &top.m_x_tdata, RADIT_X_BYTES);
    }

    void sample_taps() {
#define FIELD(INDEX, SIGNAL, BYTES) trace[INDEX].append(&top.SIGNAL, BYTES);
#define TAP(VALID, FIELDS) \
    if (top.VALID) {       \
        FIELDS             \
    }
        RADIT_TAPS(TAP, FIELD)
#undef TAP
#undef FIELD
    }

    void drive_x(bool taken) {
        if (source_dice.stall) source_dice.roll();
        if (sink_dice.stall) sink_dice.roll();
        if (taken) x_offered = false;
        if (!x_offered && x_sent < x_words && !source_dice.data) {
            memcpy(&top.s_x_tdata, x_in + x_sent++ * RADIT_X_BYTES, RADIT_X_BYTES);
            x_offered = true;
        }
        top.s_x_tvalid = x_offered;
        top.m_x_tready = x_ready = !sink_dice.data;
    }

    void cycle() {
        sample_memories();
        sample_x();
        if (is_tracing) sample_taps();
#define TAKEN(NAME, INDEX, BYTES) const bool NAME##_taken = NAME.offered && top.s_##NAME##_tready;
        RADIT_READ_PORTS(TAKEN)
#undef TAKEN
        const bool x_taken = x_offered && top.s_x_tready;
        top.clk = 1;
        eval();
        top.reg_write = 0;
#define DRIVE(NAME, INDEX, BYTES)                             \
    if (NAME.is_active()) {                                   \
        NAME.read(&top.s_##NAME##_tdata, NAME##_taken, now); \
        top.s_##NAME##_tvalid = NAME.offered;                 \
        top.m_##NAME##_cmd_tready = NAME.command_ready;       \
    }
        RADIT_READ_PORTS(DRIVE)
#undef DRIVE
#define DRIVE(NAME, INDEX, BYTES)                       \
    if (NAME.is_active()) {                             \
        NAME.write(now);                                \
        top.m_##NAME##_tready = NAME.offered;           \
        top.m_##NAME##_cmd_tready = NAME.command_ready; \
    }
        RADIT_WRITE_PORTS(DRIVE)
#undef DRIVE
        drive_x(x_taken);
        ++now;
        top.clk = 0;
        eval();
    }

    void write_register(uint32_t address, uint32_t value) {
        top.reg_write = 1;
        top.reg_addr = address;
        top.reg_wdata = value;
        eval();
        cycle();
    }

    uint32_t read_register(uint32_t address) {
        top.reg_addr = address;
        eval();
        cycle();
        return top.reg_rdata;
    }

    // 0: the timestep is over, 1: still busy, -1: failure.
    int run(uint64_t cycles) {
        for (; cycles && top.busy && failure.code == NONE; --cycles, ++busy_cycles) cycle();
        if (failure.code != NONE) return -1;
        if (top.busy) return 1;
#define REST(NAME, INDEX, BYTES) \
    if (NAME.count) fail(LEFT_OVER, INDEX, NAME.front().address, NAME.front().left);
        RADIT_WRITE_PORTS(REST)
#undef REST
#define REST(NAME, INDEX, BYTES)                                                                       \
    if (NAME.count || NAME.offered)                                                                    \
        fail(LEFT_OVER, INDEX, NAME.count ? NAME.front().address : 0, NAME.count ? NAME.front().left : 1);
        RADIT_READ_PORTS(REST)
#undef REST
        if (x_sent < x_words || x_offered) fail(LEFT_OVER, S_X, x_sent - x_offered, x_words - x_sent + x_offered);
        if (x_received < x_words) fail(LEFT_OVER, M_X, x_received, x_words - x_received);
        return failure.code == NONE ? 0 : -1;
    }
};

}  // namespace radit

using radit::Harness;

extern "C" {

Harness* radit_create() { return new (std::nothrow) Harness; }
void radit_destroy(Harness* h) {
#if RADIT_WAVES
    h->waves.close();
#endif
    h->top.final();
    delete h;
}
void radit_reset(Harness* h) { h->reset(); }
void radit_write(Harness* h, uint32_t address, uint32_t value) { h->write_register(address, value); }
uint32_t radit_read(Harness* h, uint32_t address) { return h->read_register(address); }
void radit_host_timing(Harness* h, const radit::Timing* timing) { h->host_timing = *timing; }

void radit_bind(Harness* h, int port, uint8_t* words, uint64_t size, const radit::Timing* timing) {
#define BIND(NAME, INDEX, BYTES)    \
    if (port == INDEX) {            \
        h->NAME.words = words;      \
        h->NAME.size = size;        \
        h->NAME.timing = *timing;   \
        h->NAME.dice.seed(*timing, INDEX); \
    }
    RADIT_READ_PORTS(BIND)
    RADIT_WRITE_PORTS(BIND)
#undef BIND
}

// START with x_words to send and to receive.
void radit_start(Harness* h, const uint8_t* x_in, uint8_t* x_out, uint64_t x_words, uint32_t address, uint32_t value) {
    h->x_in = x_in;
    h->x_out = x_out;
    h->x_words = x_words;
    h->x_sent = h->x_received = h->busy_cycles = 0;
    h->write_register(address, value);
    if (!h->top.busy) h->fail(radit::NOT_BUSY, 0);
}
int radit_run(Harness* h, uint64_t cycles) { return h->run(cycles); }
uint64_t radit_busy_cycles(Harness* h) { return h->busy_cycles; }
void radit_failure(Harness* h, radit::Failure* failure) {
    *failure = h->failure;
    if (failure->code == radit::NONE) failure->cycle = h->now;
}
void radit_tracing(Harness* h, int on) { h->is_tracing = on; }
uint8_t* radit_take(Harness* h, int field, uint64_t* bytes) { return h->trace[field].take(bytes); }
void radit_free(uint8_t* bytes) { free(bytes); }

int radit_waves(Harness* h, const char* path) {
#if RADIT_WAVES
    h->context.traceEverOn(true);
    h->top.trace(&h->waves, 99);
    h->waves.open(path);
    h->is_dumping = h->waves.isOpen();
    return h->is_dumping;
#else
    return 0;
#endif
}
void radit_dump(Harness* h, int on) {
#if RADIT_WAVES
    h->is_dumping = on && h->waves.isOpen();
#endif
}

}  // extern "C"
