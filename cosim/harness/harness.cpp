// The C interface to the harness, for ctypes (cosim/engines/verilator.py).
#include "harness.h"

#include <new>

using radit::Harness;

extern "C" {

#if RADIT_PROFILING
void __gcov_dump();
// Writes how often each branch was taken beside the objects that this library is made of.
void radit_write_profile() { __gcov_dump(); }
#endif

Harness* radit_create(uint64_t rate) {
    Harness* h = new (std::nothrow) Harness;
    if (h) {
        h->bandwidth.rate = rate;
        h->bandwidth.widest = RADIT_WIDEST;
    }
    return h;
}
// The error of the waveform's file so far, as errno; 0 if none.
int radit_waves_error(Harness* h) {
#if RADIT_WAVES_VCD
    return h->wave_file.error;
#else
    return 0;
#endif
}
// Returns the error of the waveform's file.
int radit_destroy(Harness* h) {
#if RADIT_WAVES
    h->waves.close();
#endif
    const int error = radit_waves_error(h);
    h->top.final();
    delete h;
    return error;
}
void radit_reset(Harness* h) { h->reset(); }
void radit_forget(Harness* h) { h->forget(); }
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
    RADIT_ALL_PORTS(BIND)
#undef BIND
}

// START with `words` words of x to send and to receive.
void radit_start(Harness* h, const uint8_t* in, uint8_t* out, uint64_t words, uint32_t address, uint32_t value) {
    h->start(in, out, words, address, value);
}
int radit_run(Harness* h, uint64_t cycles) { return h->run(cycles); }
uint32_t radit_sub_block(Harness* h) { return h->sub_block; }
uint64_t radit_busy_cycles(Harness* h) { return h->busy_cycles; }
void radit_traffic(Harness* h, int port, uint64_t* bytes, uint64_t* starved) {
#define TRAFFIC(NAME, INDEX, BYTES)      \
    if (port == INDEX) {                 \
        *bytes = h->NAME.moved * BYTES;  \
        *starved = h->NAME.starved;      \
    }
    RADIT_ALL_PORTS(TRAFFIC)
#undef TRAFFIC
}
void radit_failure(Harness* h, radit::Failure* failure) {
    *failure = h->failure;
    if (failure->code == radit::NONE) failure->cycle = h->now;
}
uint8_t* radit_save(Harness* h, uint64_t* bytes) {
    radit::Buffer state;
    {
        radit::Saver saver{state};
        h->keep(saver);
    }
    return state.take(bytes);
}
// Goes on with these arrays of x; false when the bytes are not those of this build.
int radit_restore(Harness* h, const uint8_t* state, uint64_t bytes, const uint8_t* in, uint8_t* out) {
    radit::Loader loader{state, bytes};
    h->keep(loader);
    h->x_in = in;
    h->x_out = out;
    return loader.is_done();
}
void radit_tracing(Harness* h, int on) { h->is_tracing = on; }
uint8_t* radit_take(Harness* h, int field, uint64_t* bytes) { return h->trace[field].take(bytes); }
void radit_free(uint8_t* bytes) { free(bytes); }

void radit_record(Harness* h, uint64_t cycles) { h->recorder.left = cycles; }
uint8_t* radit_take_record(Harness* h, uint64_t* bytes) { return h->recorder.rows.take(bytes); }

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

}  // extern "C"
