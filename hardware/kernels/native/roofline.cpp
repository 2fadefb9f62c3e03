// The most that one core does: multiply-adds a second in fp32, bf16 and fp16, and bytes copied a second.
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

// As many sums as hide the latency of a multiply-add; each depends on nothing but itself. Returns multiply-adds made,
// of vectors. `add` is one multiply-add; the sums start from memory, lest the compiler find them all alike.
template <class Sum, class Add>
double multiply_adds(Add add) {
    constexpr int SUMS = REGISTERS == 32 ? 24 : 12, STEPS = 20000;
    Sum sums[SUMS] = {};
    __asm__ volatile("" : "+m"(sums));
    for (int i = 0; i < STEPS; ++i)
#pragma GCC unroll 24
        for (int n = 0; n < SUMS; ++n) sums[n] = add(sums[n]);
    __asm__ volatile("" : : "m"(sums));
    return (double)SUMS * STEPS;
}

// A value that the compiler cannot know at compile time.
template <class T>
T unknown(T x) {
    __asm__ volatile("" : "+m"(x));
    return x;
}

double fp32_products() {
    const Vec factor = unknown(splat(0.999f)), step = unknown(splat(0.001f));
    return 2.0 * LANES * multiply_adds<Vec>([=](Vec sum) { return sum * factor + step; });
}

#if defined(__AVX512FP16__)
double fp16_products() {
    const __m512h factor = unknown(_mm512_set1_ph((_Float16)0.999f)), step = unknown(_mm512_set1_ph((_Float16)0.001f));
    return 2.0 * 32 * multiply_adds<__m512h>([=](__m512h sum) { return _mm512_fmadd_ph(sum, factor, step); });
}
#endif

#if defined(__AVX512BF16__)
double bf16_products() {
    const __m512 half = _mm512_set1_ps(0.5f);
    const __m512bh x = unknown(_mm512_cvtne2ps_pbh(half, half));
    return 2.0 * 32 * multiply_adds<__m512>([=](__m512 sum) { return _mm512_dpbf16_ps(sum, x, x); });
}
#endif

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
extern "C" double matrix_rate_fp32(double seconds) { return best_rate(seconds, fp32_products) * 1e-9; }

// GFLOP/s of AMX products of bf16 tiles; where there are none, the better of dot products of bf16 pairs in vectors
// (AVX512_BF16) and of fp32, since some processors have the former at half the rate; else what fp32 does.
extern "C" double matrix_rate_bf16(double seconds) {
#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
    if (tiles_permitted()) return tile_rate(seconds) * 1e-9;
#endif
#if defined(__AVX512BF16__)
    return std::max(best_rate(seconds, bf16_products) * 1e-9, matrix_rate_fp32(seconds));
#else
    return matrix_rate_fp32(seconds);
#endif
}

// GFLOP/s of multiply-adds of fp16 vectors (AVX512_FP16); where there are none, what fp32 does.
extern "C" double matrix_rate_fp16(double seconds) {
#if defined(__AVX512FP16__)
    return best_rate(seconds, fp16_products) * 1e-9;
#else
    return matrix_rate_fp32(seconds);
#endif
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
