// Bytes for the other side of the C interface: trace events, saved simulations.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace radit {

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
