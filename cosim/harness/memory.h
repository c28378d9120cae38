// What surrounds the accelerator: memories with latency, stalls and a common bandwidth, the host's streams and handshake
// monitors. cosim/engines/memory.py says the same in Python, step for step: equal timing, equal cycles.
#pragma once

#include <cstdint>
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

// What all memory ports share. They ask in order of priority: one that cannot pay holds up those after it.
struct Bandwidth {
    uint64_t rate = 0;  // bytes per 256 cycles, 0: unlimited
    uint64_t widest = 0;
    uint64_t credit = 0, refilled = 0;
    uint64_t refused = UINT64_MAX;  // the cycle in which a port could not pay

    void clear() {
        credit = refilled = 0;
        refused = UINT64_MAX;
    }
    // True when `bytes` could be paid for.
    bool pay(uint64_t bytes, uint64_t now) {
        if (!rate) return true;
        if (refused == now) return false;
        const uint64_t most = widest * 256 + rate;
        credit += (now - refilled) * rate;
        if (credit > most) credit = most;
        refilled = now;
        if (credit < bytes * 256) {
            refused = now;
            return false;
        }
        credit -= bytes * 256;
        return true;
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
    uint64_t moved = 0, starved = 0;  // since START: words; cycles in which a word waited for bandwidth
    bool command_ready = false;
    bool offered = false;   // read: the word on the bus is valid; write: the port is ready
    bool has_room = false;  // write: the next word is paid for
    bool refused = false;   // write: it could not be paid for

    void clear(uint32_t port) {
        dice.seed(timing, port);
        head = count = 0;
        command_ready = offered = has_room = refused = false;
        start();
    }
    void start() { moved = starved = 0; }
    bool is_active() const { return count || offered || dice.stall || !command_ready; }
    Command& front() { return queue[head]; }
    uint8_t* next_word() {
        uint8_t* word = words + front().address++ * BYTES;
        ++moved;
        if (!--front().left) {
            head = (head + 1) % QUEUE;
            --count;
        }
        return word;
    }
    bool accept_command(uint64_t address, uint64_t length, uint64_t now) {
        if (address + length > size) return false;
        queue[(head + count++) % QUEUE] = {address, length, now + timing.latency};
        return true;
    }
    template <class Archive>
    void keep(Archive& archive) {
        archive.keep(dice, queue, head, count, moved, starved, command_ready, offered, has_room, refused);
    }
    void accept_word(const void* word) {
        memcpy(next_word(), word, BYTES);
        has_room = false;
    }
    bool fetch(Bandwidth& shared, uint64_t now) {
        const bool paid = shared.pay(BYTES, now);
        starved += !paid;
        return paid;
    }
    void read(void* bus, bool taken, Bandwidth& shared, uint64_t now) {
        if (dice.stall) dice.roll();
        if (taken) offered = false;
        if (!offered && count && front().due <= now && !dice.data && fetch(shared, now)) {
            memcpy(bus, next_word(), BYTES);
            offered = true;
        }
        command_ready = count < timing.depth && !dice.command;
    }
    void write(Bandwidth& shared, uint64_t now) {
        if (dice.stall) dice.roll();
        const bool is_due = !has_room && count && !dice.data;
        if (is_due) has_room = shared.pay(BYTES, now);
        refused = is_due && !has_room;
        offered = has_room && !dice.data;
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

}  // namespace radit
