// The verilated accelerator with its surroundings: what happens around it in every cycle.
// Ports, widths and trace taps come from the generated harness_config.h (cosim/engines/harness_config.py).
#pragma once

#include "Vradit.h"
#include "buffer.h"
#include "harness_config.h"
#include "memory.h"
#include "recorder.h"
#include "state.h"
#include "verilated.h"
#if RADIT_WAVES_FST
#include "verilated_fst_c.h"
using Waves = VerilatedFstC;
#elif RADIT_WAVES_VCD
#include "verilated_vcd_c.h"
using Waves = VerilatedVcdC;
#endif
#include "wave_file.h"

#define SKIP(NAME, INDEX, BYTES)
#define RADIT_ALL_PORTS(X) RADIT_MEMORIES(X, X)
#define RADIT_READ_PORTS(X) RADIT_MEMORIES(X, SKIP)
#define RADIT_WRITE_PORTS(X) RADIT_MEMORIES(SKIP, X)

namespace radit {

// How a run ended.
enum Outcome : int { FAILED = -1, OVER, BUSY, SUB_BLOCK_OVER };

constexpr int S_X = RADIT_PORTS;
constexpr int M_X = RADIT_PORTS + 1;
constexpr int RESET_CYCLES = 32;

#ifndef RADIT_POWER_UP
#define RADIT_POWER_UP 0  // registers and memories at first, as Verilator's option --x-initial unique has them; 2: random
#endif
constexpr const char* POWER_UP_SEED = "RADIT_POWER_UP_SEED";  // environment variable: of what they hold at first, from 1

struct Context : VerilatedContext {
    Context() {
        threads(RADIT_THREADS);
        randReset(RADIT_POWER_UP);
        const char* seed = std::getenv(POWER_UP_SEED);
        randSeed(seed ? std::atoi(seed) : 1);
    }
};

struct Harness {
    Context context;
    Vradit top{&context, "radit"};
#define MEMBER(NAME, INDEX, BYTES) \
    Memory<BYTES> NAME;            \
    Monitor<8> NAME##_command;
    RADIT_ALL_PORTS(MEMBER)
#undef MEMBER
#define MEMBER(NAME, INDEX, BYTES) Monitor<BYTES> NAME##_data;
    RADIT_WRITE_PORTS(MEMBER)
#undef MEMBER
    Monitor<RADIT_X_BYTES> m_x_data;
    Bandwidth bandwidth;
    Timing host_timing{};
    Dice source_dice, sink_dice;
    const uint8_t* x_in = nullptr;
    uint8_t* x_out = nullptr;
    uint64_t x_words = 0, x_sent = 0, x_received = 0;
    bool x_offered = false, x_ready = false;
    Buffer trace[RADIT_FIELDS];
    bool is_tracing = true;
    Recorder recorder;
    Failure failure{};
    uint64_t now = 0, busy_cycles = 0;
    uint32_t sub_block = 0;  // the last one that was over
#if RADIT_WAVES_VCD
    WaveFile wave_file;
    Waves waves{&wave_file};
    bool is_dumping = false;
#elif RADIT_WAVES
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

    // What surrounds the accelerator forgets all that is on its way: transfers, x, failures.
    void forget() {
        failure = {};
        bandwidth.clear();
#define CLEAR(NAME, INDEX, BYTES) \
    NAME.clear(INDEX);            \
    NAME##_command = {};          \
    top.m_##NAME##_cmd_tready = 0;
        RADIT_ALL_PORTS(CLEAR)
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
        eval();
    }

    void reset() {
        now = 0;
        forget();
        top.reg_write = 0;
        top.reg_addr = top.reg_wdata = 0;
        top.aresetn = 0;
        top.clk = 0;
        eval();
        for (int i = 0; i < RESET_CYCLES; ++i) {
            recorder.note(top);
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
        RADIT_ALL_PORTS(SAMPLE)
#undef SAMPLE
#define SAMPLE(NAME, INDEX, BYTES)                                                            \
    if (top.m_##NAME##_tvalid | NAME##_data.is_waiting) {                                     \
        if (!NAME##_data.holds(top.m_##NAME##_tvalid, NAME.offered, &top.m_##NAME##_tdata)) \
            fail(UNSTABLE, INDEX, 1);                                                         \
        NAME.starved += top.m_##NAME##_tvalid && NAME.refused;                                \
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
        recorder.note(top);
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
#define READ(NAME, INDEX, BYTES)                                         \
    if (NAME.is_active()) {                                              \
        NAME.read(&top.s_##NAME##_tdata, NAME##_taken, bandwidth, now); \
        top.s_##NAME##_tvalid = NAME.offered;                            \
        top.m_##NAME##_cmd_tready = NAME.command_ready;                  \
    }
#define WRITE(NAME, INDEX, BYTES)                       \
    if (NAME.is_active()) {                             \
        NAME.write(bandwidth, now);                     \
        top.m_##NAME##_tready = NAME.offered;           \
        top.m_##NAME##_cmd_tready = NAME.command_ready; \
    }
        RADIT_MEMORIES(READ, WRITE)
#undef READ
#undef WRITE
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

    void start(const uint8_t* in, uint8_t* out, uint64_t words, uint32_t address, uint32_t value) {
        x_in = in;
        x_out = out;
        x_words = words;
        x_sent = x_received = busy_cycles = 0;
#define START(NAME, INDEX, BYTES) NAME.start();
        RADIT_ALL_PORTS(START)
#undef START
        write_register(address, value);
        if (!top.busy) fail(NOT_BUSY, 0);
    }

    // Up to `cycles` cycles, up to the end of a sub-block or of the timestep.
    Outcome run(uint64_t cycles) {
        for (; cycles && top.busy && failure.code == NONE; --cycles) {
            const bool advances = top.trace_advance_valid;
            sub_block = top.trace_advance_sub_block;
            cycle();
            ++busy_cycles;
            if (advances && failure.code == NONE) return SUB_BLOCK_OVER;
        }
        if (failure.code != NONE) return FAILED;
        if (top.busy) return BUSY;
        find_leftovers();
        return failure.code == NONE ? OVER : FAILED;
    }

    // Saves or restores all that changes while the simulation runs, but the memories' and x's words.
    template <class Archive>
    void keep(Archive& archive) {
        archive.keep_model(top);
        archive.keep(bandwidth, source_dice, sink_dice, m_x_data, x_words, x_sent, x_received, x_offered, x_ready);
        archive.keep(failure, now, busy_cycles, sub_block);
#define KEEP(NAME, INDEX, BYTES) \
    NAME.keep(archive);          \
    archive.keep(NAME##_command);
        RADIT_ALL_PORTS(KEEP)
#undef KEEP
#define KEEP(NAME, INDEX, BYTES) archive.keep(NAME##_data);
        RADIT_WRITE_PORTS(KEEP)
#undef KEEP
        for (Buffer& buffer : trace) archive.keep_buffer(buffer);
    }

    void find_leftovers() {
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
    }
};

}  // namespace radit
