// A simulation as bytes in memory: what Verilator's --savable writes and reads, and the harness's own variables.
#pragma once

#include <algorithm>

#include "buffer.h"
#include "verilated_save.h"

namespace radit {

// Appends to a buffer.
class Saver final : public VerilatedSerialize {
    Buffer& target;

public:
    explicit Saver(Buffer& buffer) : target{buffer} { m_isOpen = true; }
    ~Saver() override { flush(); }
    void flush() override {
        target.append(m_bufp, m_cp - m_bufp);
        m_cp = m_bufp;
    }
    template <class... Parts>
    void keep(Parts&... parts) {
        (write(&parts, sizeof parts), ...);
    }
    void keep_buffer(Buffer& buffer) {
        keep(buffer.used);
        write(buffer.bytes, buffer.used);
    }
    template <class Model>
    void keep_model(Model& model) {
        *this << model;
    }
};

// Reads what a Saver has written; zeros where the bytes end too early.
class Loader final : public VerilatedDeserialize {
    const uint8_t* next;
    const uint8_t* end;
    ptrdiff_t zeros = 0;  // at the end of the base class's buffer

    void fill() override {
        uint8_t* free = std::copy(m_cp, m_endp, m_bufp);  // what has not been read yet
        m_cp = m_bufp;
        m_endp = m_bufp + bufferSize();
        const ptrdiff_t count = std::min(m_endp - free, end - next);
        free = std::copy(next, next + count, free);
        next += count;
        zeros += m_endp - free;
        std::fill(free, m_endp, 0);
    }

public:
    Loader(const uint8_t* bytes, uint64_t size) : next{bytes}, end{bytes + size} {
        m_isOpen = true;
        m_endp = m_bufp;
    }
    bool is_done() const { return next == end && m_endp - m_cp == zeros; }
    template <class... Parts>
    void keep(Parts&... parts) {
        (read(&parts, sizeof parts), ...);
    }
    void keep_buffer(Buffer& buffer) {
        buffer.used = 0;
        uint64_t used;
        keep(used);
        buffer.grow(used);
        read(buffer.bytes, used);
        buffer.used = used;
    }
    template <class Model>
    void keep_model(Model& model) {
        *this >> model;
    }
};

}  // namespace radit
