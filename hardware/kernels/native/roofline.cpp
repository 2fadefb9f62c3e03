// The most that one core does: multiply-adds a second, in fp32 and on bf16 tiles, and bytes copied a second.
// Each is the best of several rounds, on the clock of this process's processor time.
#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "vector.h"
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

constexpr int ROUNDS = 5;

double now() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The best rate of `work`, which returns how much it did, over rounds of together `seconds`.
template <class Work>
double best_rate(double seconds, Work work) {
    double best = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        const double start = now(), end = start + seconds / ROUNDS;
        double done = 0, time = start;
        while (time < end || done == 0) {
            done += work();
            time = now();
        }
        best = std::max(best, done / (time - start));
    }
    return best;
}

// Sums that depend on nothing but themselves: enough of them to hide the latency of a multiply-add.
double multiply_add() {
    constexpr int SUMS = REGISTERS == 32 ? 24 : 12, STEPS = 20000;
    Vec sums[SUMS];
    Vec x = splat(0.999f), y = splat(0.001f);
    __asm__ volatile("" : "+m"(x), "+m"(y));
    const Vec factor = x, step = y;
#pragma GCC unroll 24
    for (int n = 0; n < SUMS; ++n) sums[n] = splat((float)n);
    for (int i = 0; i < STEPS; ++i)
#pragma GCC unroll 24
        for (int n = 0; n < SUMS; ++n) sums[n] = sums[n] * factor + step;
    Vec total{};
    for (int n = 0; n < SUMS; ++n) total += sums[n];
    __asm__ volatile("" : : "m"(total));
    return 2.0 * SUMS * STEPS * LANES;
}

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
bool tiles_permitted() {
    constexpr long REQUEST = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

// Four sums of 16 x 16 from two tiles by two, 32 products deep, as a matrix product has them.
double tile_products() {
    constexpr int STEPS = 5000;
    for (int i = 0; i < STEPS; ++i) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    return 2.0 * 4 * STEPS * 16 * 16 * 32;
}

double tile_rate(double seconds) {
    alignas(64) uint8_t shape[64] = {1};
    for (int n = 0; n < 8; ++n) shape[16 + 2 * n] = 64, shape[48 + n] = 16;
    _tile_loadconfig(shape);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    const double rate = best_rate(seconds, tile_products);
    _tile_release();
    return rate;
}
#endif

}  // namespace

// GFLOP/s of multiply-adds of the widest vectors between registers.
extern "C" double matrix_rate_fp32(double seconds) { return best_rate(seconds, multiply_add) * 1e-9; }

// GFLOP/s of AMX products of bf16 tiles; where there are none, what fp32 does.
extern "C" double matrix_rate_bf16(double seconds) {
#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
    if (tiles_permitted()) return tile_rate(seconds) * 1e-9;
#endif
    return matrix_rate_fp32(seconds);
}

// GB/s of a copy of 256 MiB to another place: the bytes read plus the bytes written. 0 if there is no such memory.
extern "C" double copy_rate(double seconds) {
    constexpr size_t BYTES = (size_t)256 << 20;
    char* from = (char*)std::malloc(BYTES);
    char* to = (char*)std::malloc(BYTES);
    double rate = 0;
    if (from && to) {
        std::memset(from, 1, BYTES);
        std::memset(to, 2, BYTES);
        rate = best_rate(seconds, [&] {
            std::memcpy(to, from, BYTES);
            __asm__ volatile("" : : "r"(to) : "memory");
            return 2.0 * BYTES;
        });
    }
    std::free(from);
    std::free(to);
    return rate * 1e-9;
}
