// What surrounds the accelerator: memories with latency, bandwidth and stalls, the host's streams, handshake monitors
// and trace buffers. cosim/engines/memory.py says the same in Python, step for step: equal timing, equal cycles.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace radit {

// The numbers of cosim/engines/base.py: Failure.
enum Code : int32_t { NONE, TIMEOUT, OUT_OF_RANGE, EMPTY_COMMAND, UNSTABLE, NOT_BUSY, SURPLUS, LEFT_OVER };

struct Failure {
    int32_t code;
    int32_t port;  // memory ports by position, then s_x, m_x
    uint64_t address;
    uint64_t length;
    uint64_t limit;
    uint64_t cycle;
};

struct Timing {
    uint64_t latency;  // cycles between a command and the first cycle that may offer its first word
    uint32_t rate;     // bytes per 256 cycles, 0: a word in every cycle
    uint32_t stall;    // probability of an idle cycle, of 65536
    uint32_t seed;
    uint32_t depth;    // commands accepted ahead, at most QUEUE
};

constexpr uint32_t QUEUE = 16;

// Two independent draws per cycle: stall the command channel, stall the data channel.
struct Dice {
    uint32_t state = 1;
    uint32_t stall = 0;
    bool command = false;
    bool data = false;

    void seed(const Timing& timing, uint32_t port) {
        state = timing.seed * 0x9E3779B1u + (port + 1) * 0x85EBCA6Bu;
        if (!state) state = 1;
        stall = timing.stall;
        command = data = false;
    }
    void roll() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        command = (state & 0xFFFF) < stall;
        data = (state >> 16) < stall;
    }
};

// One memory port, read or write. A cycle has two steps: `accept_*` for the transfers of the clock edge, then
// `read` or `write` for what the port shows in the next cycle.
template <int BYTES>
struct Memory {
    struct Command {
        uint64_t address, left, due;
    };
    uint8_t* words = nullptr;
    uint64_t size = 0;
    Timing timing{};
    Dice dice;
    Command queue[QUEUE];
    uint32_t head = 0, count = 0;
    uint64_t credit = 0, refilled = 0;
    bool command_ready = false;
    bool offered = false;  // read: the word on the bus is valid; write: the port is ready

    void clear(uint32_t port) {
        dice.seed(timing, port);
        head = count = 0;
        credit = refilled = 0;
        command_ready = offered = false;
    }
    bool is_active() const { return count || offered || dice.stall || !command_ready; }
    Command& front() { return queue[head]; }
    void pop() {
        head = (head + 1) % QUEUE;
        --count;
    }
    bool accept_command(uint64_t address, uint64_t length, uint64_t now) {
        if (address + length > size) return false;
        queue[(head + count++) % QUEUE] = {address, length, now + timing.latency};
        return true;
    }
    void accept_word(const void* word) {
        memcpy(words + front().address++ * BYTES, word, BYTES);
        if (timing.rate) credit -= BYTES * 256;
        if (!--front().left) pop();
    }
    bool can_pay(uint64_t now) {
        if (!timing.rate) return true;
        const uint64_t most = BYTES * 256 + timing.rate;
        credit += (now - refilled) * timing.rate;
        if (credit > most) credit = most;
        refilled = now;
        return credit >= BYTES * 256;
    }
    // True when a new word was put on the bus.
    bool read(void* bus, bool taken, uint64_t now) {
        if (dice.stall) dice.roll();
        if (taken) offered = false;
        bool is_new = false;
        if (!offered && count && front().due <= now && !dice.data && can_pay(now)) {
            if (timing.rate) credit -= BYTES * 256;
            memcpy(bus, words + front().address++ * BYTES, BYTES);
            if (!--front().left) pop();
            offered = is_new = true;
        }
        command_ready = count < timing.depth && !dice.command;
        return is_new;
    }
    void write(uint64_t now) {
        if (dice.stall) dice.roll();
        offered = count && !dice.data && can_pay(now);
        command_ready = count < timing.depth && !dice.command;
    }
};

// A payload that waits must not change.
template <int BYTES>
struct Monitor {
    bool is_waiting = false;
    uint8_t held[BYTES];

    bool holds(bool valid, bool ready, const void* payload) {
        if (is_waiting && (!valid || memcmp(held, payload, BYTES))) return false;
        if (valid && !ready && !is_waiting) memcpy(held, payload, BYTES);
        is_waiting = valid && !ready;
        return true;
    }
};

// Append-only bytes whose ownership can be handed out.
struct Buffer {
    uint8_t* bytes = nullptr;
    uint64_t used = 0, capacity = 0;

    ~Buffer() { free(bytes); }
    void append(const void* data, uint64_t count) {
        if (used + count > capacity) grow(count);
        memcpy(bytes + used, data, count);
        used += count;
    }
    void grow(uint64_t count) {
        capacity = 2 * (used + count) + 4096;
        bytes = static_cast<uint8_t*>(realloc(bytes, capacity));
        if (!bytes) abort();
    }
    // The next buffer starts as large as this one became.
    uint8_t* take(uint64_t* count) {
        uint8_t* taken = bytes;
        *count = used;
        bytes = nullptr;
        capacity = 0;
        if (used) grow(used / 2);
        used = 0;
        return taken;
    }
};

}  // namespace radit
