// A memory behind AXI4: latency, pauses, answers of different IDs in any order, several bursts on their way; it checks
// what the manager asks for. One cycle has two steps: `show` before the clock's edge, `take` for what the edge moves.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>

namespace radit {

constexpr unsigned IDS = 16;
constexpr uint32_t SLVERR = 2, DECERR = 3;

struct MemoryTiming {
    uint64_t latency;  // cycles from an address to the first beat that may answer it, and from the last beat to B
    uint32_t pause;    // probability of a pause of every channel in a cycle, of 65536
    uint32_t seed;
    uint32_t depth;    // bursts that may be on their way, of reads and of writes
};

struct Rng {
    uint32_t state = 1;
    void seed(uint32_t value) {
        state = value * 0x9E3779B1u + 0x7F4A7C15u;
        if (!state) state = 1;
    }
    uint32_t draw() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }
    bool happens(uint32_t chance) { return chance && (draw() >> 8 & 0xFFFF) < chance; }
    unsigned below(unsigned count) { return count > 1 ? (draw() >> 8) % count : 0; }
};

// BYTES of a beat.
template <unsigned BYTES>
struct AxiMemory {
    struct Burst {
        uint64_t address;
        uint32_t left;
        uint64_t due;
        uint32_t id;
    };
    struct Answer {
        uint64_t due;
        uint32_t response;
    };

    uint8_t* words = nullptr;
    uint64_t origin = 0, size = 0;
    uint64_t bad_from = 0, bad_to = 0;  // addresses that are answered SLVERR
    bool is_silent = false;             // no read is answered
    MemoryTiming timing{0, 0, 1, 8};
    Rng rng;
    std::deque<Burst> reads[IDS];
    unsigned reading = 0;
    std::deque<Burst> writes;
    std::deque<Answer> answers[IDS];
    unsigned answering = 0;
    uint32_t written_response = 0;
    int read_id = -1, answer_id = -1;  // what is shown
    uint8_t beat[BYTES] = {};
    uint32_t beat_response = 0;
    uint64_t now = 0, read_beats = 0, write_beats = 0, read_bursts = 0, write_bursts = 0;
    unsigned most_reading = 0;
    const char* broken = nullptr;  // the first rule that the manager broke

    void clear() {
        for (auto& each : reads) each.clear();
        for (auto& each : answers) each.clear();
        writes.clear();
        reading = answering = 0;
        read_id = answer_id = -1;
        rng.seed(timing.seed);
    }

    void complain(const char* text) {
        if (!broken) broken = text;
    }
    // The response of a beat at an address; a good one has a place in memory.
    uint32_t response(uint64_t address) const {
        if (address < origin || address + BYTES > origin + size) return DECERR;
        return address < bad_to && address + BYTES > bad_from ? SLVERR : 0;
    }

    template <class Top>
    void show(Top& top) {
        top.m_axi_arready = reading < timing.depth && !rng.happens(timing.pause);
        top.m_axi_awready = writes.size() + answering < timing.depth && !rng.happens(timing.pause);
        top.m_axi_wready = !writes.empty() && !rng.happens(timing.pause);
        if (read_id < 0 && reading && !is_silent && !rng.happens(timing.pause)) choose_read();
        if (answer_id < 0 && answering && !rng.happens(timing.pause)) choose_answer();
        top.m_axi_rvalid = read_id >= 0;
        if (read_id >= 0) {
            memcpy(&top.m_axi_rdata, beat, BYTES);
            top.m_axi_rid = read_id;
            top.m_axi_rresp = beat_response;
            top.m_axi_rlast = reads[read_id].front().left == 1;
        }
        top.m_axi_bvalid = answer_id >= 0;
        if (answer_id >= 0) {
            top.m_axi_bid = answer_id;
            top.m_axi_bresp = answers[answer_id].front().response;
        }
    }

    void choose_read() {
        unsigned ready[IDS], count = 0;
        for (unsigned id = 0; id < IDS; ++id) {
            if (!reads[id].empty() && reads[id].front().due <= now) ready[count++] = id;
        }
        if (!count) return;
        read_id = int(ready[rng.below(count)]);
        const uint64_t address = reads[read_id].front().address;
        beat_response = response(address);
        if (beat_response == DECERR) {
            memset(beat, 0, BYTES);
        } else {
            memcpy(beat, words + (address - origin), BYTES);
        }
    }

    void choose_answer() {
        unsigned ready[IDS], count = 0;
        for (unsigned id = 0; id < IDS; ++id) {
            if (!answers[id].empty() && answers[id].front().due <= now) ready[count++] = id;
        }
        if (count) answer_id = int(ready[rng.below(count)]);
    }

    void check(uint64_t address, uint32_t beats, uint32_t bytes, uint32_t kind) {
        if (kind != 1) complain("a burst is not INCR");
        if (bytes != BYTES) complain("a burst's beats are not full");
        if (address % BYTES) complain("a burst does not begin at a beat");
        if (address / 4096 != (address + uint64_t(beats) * BYTES - 1) / 4096) complain("a burst crosses 4 KiB");
    }

    template <class Top>
    void take(Top& top) {
        if (top.m_axi_arvalid && top.m_axi_arready) {
            const uint32_t beats = top.m_axi_arlen + 1u;
            check(top.m_axi_araddr, beats, 1u << top.m_axi_arsize, top.m_axi_arburst);
            reads[top.m_axi_arid].push_back({top.m_axi_araddr, beats, now + timing.latency, uint32_t(top.m_axi_arid)});
            if (++reading > most_reading) most_reading = reading;
            ++read_bursts;
        }
        if (read_id >= 0) {
            if (!top.m_axi_rready) complain("R waits");
            auto& queue = reads[read_id];
            queue.front().address += BYTES;
            ++read_beats;
            if (!--queue.front().left) {
                queue.pop_front();
                --reading;
            }
            read_id = -1;
        }
        if (top.m_axi_bvalid && top.m_axi_bready) {
            answers[answer_id].pop_front();
            --answering;
            answer_id = -1;
        }
        if (top.m_axi_wvalid && top.m_axi_wready) take_beat(top);
        if (top.m_axi_awvalid && top.m_axi_awready) {
            const uint32_t beats = top.m_axi_awlen + 1u;
            check(top.m_axi_awaddr, beats, 1u << top.m_axi_awsize, top.m_axi_awburst);
            writes.push_back({top.m_axi_awaddr, beats, 0, uint32_t(top.m_axi_awid)});
            ++write_bursts;
        }
        ++now;
    }

    template <class Top>
    void take_beat(Top& top) {
        Burst& burst = writes.front();
        const uint32_t found = response(burst.address);
        if (!found) {
            uint8_t data[BYTES];
            memcpy(data, &top.m_axi_wdata, BYTES);
            for (unsigned byte = 0; byte < BYTES; ++byte) {
                if (uint64_t(top.m_axi_wstrb) >> byte & 1) words[burst.address - origin + byte] = data[byte];
            }
        }
        if (found && !written_response) written_response = found;
        burst.address += BYTES;
        ++write_beats;
        --burst.left;
        if (bool(top.m_axi_wlast) != !burst.left) complain("the last beat of a write is not where it was announced");
        if (burst.left) return;
        answers[burst.id].push_back({now + timing.latency, written_response});
        ++answering;
        written_response = 0;
        writes.pop_front();
    }
};

}  // namespace radit
