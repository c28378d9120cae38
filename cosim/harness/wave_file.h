// The file of a waveform that notes the first failure and drops what comes after it. Verilator's own file ends the
// process there, or tries for ever.
#pragma once

#if RADIT_WAVES_VCD
#include <cerrno>

namespace radit {

class WaveFile final : public VerilatedVcdFile {
public:
    int error = 0;  // errno of the first failure

    ssize_t write(const char* bytes, ssize_t size) override {
        if (error) return size;
        errno = 0;
        const ssize_t written = VerilatedVcdFile::write(bytes, size);
        if (written > 0) return written;
        if (written < 0 && errno == EINTR) return 0;  // tried again
        error = errno ? errno : EIO;
        return size;
    }
};

}  // namespace radit
#endif
