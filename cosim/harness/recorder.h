// Notes every port of the top just before a rising edge; cosim/engines/harness_config.py reads the rows.
#pragma once

#include <cstdint>

#include "buffer.h"
#include "harness_config.h"

namespace radit {

struct Recorder {
    Buffer rows;
    uint64_t left = 0;  // cycles to note

    template <class Top>
    void note(const Top& top) {
        if (!left) return;
        --left;
#define PORT(NAME) rows.append(&top.NAME, sizeof top.NAME);
        RADIT_TOP_PORTS(PORT)
#undef PORT
    }
};

}  // namespace radit
