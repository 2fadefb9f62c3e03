// Vectors of floats in the notation of GCC and Clang, of VECTOR_BYTES bytes: one source for every processor.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__SSE__)
#include <immintrin.h>
#endif

#ifndef VECTOR_BYTES
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#endif
#if VECTOR_BYTES == 64 && defined(__AVX512DQ__)
#define HAS_SCALEF 1
#endif

#define INLINE inline __attribute__((always_inline))

constexpr int LANES = VECTOR_BYTES / 4;
#if VECTOR_BYTES == 64 || defined(__aarch64__)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

typedef float Vec __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t Ints __attribute__((vector_size(VECTOR_BYTES)));
typedef float Anywhere __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

INLINE Vec load(const float* p) { return (Vec) * (const Anywhere*)p; }
INLINE void store(float* p, Vec x) { *(Anywhere*)p = (Anywhere)x; }
INLINE Vec splat(float x) { return x - Vec{}; }
INLINE Vec choose(Ints mask, Vec yes, Vec no) { return (Vec)((mask & (Ints)yes) | (~mask & (Ints)no)); }

INLINE Vec larger(Vec a, Vec b) {
#if VECTOR_BYTES == 64
    return (Vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif VECTOR_BYTES == 32
    return (Vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return choose(a > b, a, b);
#endif
}

// Whether a is above b in any lane.
INLINE bool any_above(Vec a, Vec b) {
#if VECTOR_BYTES == 64
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ) != 0;
#else
    Ints mask = a > b;
    int32_t found = 0;
    for (int lane = 0; lane < LANES; ++lane) found |= mask[lane];
    return found != 0;
#endif
}

INLINE float sum(Vec x) {
#if VECTOR_BYTES == 64
    return _mm512_reduce_add_ps((__m512)x);
#else
    float total = 0;
    for (int lane = 0; lane < LANES; ++lane) total += x[lane];
    return total;
#endif
}

// 0, 1, 2, ...
INLINE Ints lane_numbers() {
    Ints n{};
    for (int lane = 0; lane < LANES; ++lane) n[lane] = lane;
    return n;
}

// Coefficients of 2^f, of least relative error with 2^0 exact. With scalef f is in [0, 1), else in [-1/2, 1/2].
#ifdef HAS_SCALEF
constexpr float EXP2[4][7] = {
    {1.0f, 0.6951167864f, 0.2276449911f, 0.07706704207f},
    {1.0f, 0.6930448449f, 0.2412802047f, 0.05224247427f, 0.01342668425f},
    {1.0f, 0.6931513118f, 0.2401644501f, 0.05579991315f, 0.009017030284f, 0.001867130082f},
    {1.0f, 0.6931470444f, 0.2402293056f, 0.05548528062f, 0.009675451565f, 0.001246784645f, 0.0002161291497f},
};
#else
constexpr float EXP2[4][7] = {
    {1.0f, 0.6932827499f, 0.242211046f, 0.05500969787f},
    {1.0f, 0.6931240773f, 0.2402409117f, 0.05590698772f, 0.009583216552f},
    {1.0f, 0.6931468877f, 0.240222236f, 0.055507998f, 0.009672367489f, 0.001325346313f},
    {1.0f, 0.6931472057f, 0.2402264689f, 0.05550328777f, 0.009618488956f, 0.001339993118f, 0.0001534581216f},
};
#endif
constexpr int LEAST_DEGREE = 3, MOST_DEGREE = 6;

template <int DEGREE>
INLINE Vec polynomial(Vec f) {
    constexpr const float* c = EXP2[DEGREE - LEAST_DEGREE];
    Vec y = splat(c[DEGREE]);
#pragma GCC unroll 8
    for (int power = DEGREE - 1; power >= 0; --power) y = y * f + splat(c[power]);
    return y;
}

// 2^x by a polynomial; 0 where the result would be smaller than any normal number, minus infinity included.
template <int DEGREE>
INLINE Vec exp2(Vec x) {
#ifdef HAS_SCALEF
    // x - floor(x), and a multiplication by 2^floor(x); what is below normal is flushed (see Flush).
    Vec f = (Vec)_mm512_reduce_ps((__m512)x, 0x09);
    return (Vec)_mm512_scalef_ps((__m512)polynomial<DEGREE>(f), (__m512)x);
#else
    // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits.
    const Vec magic = splat(12582912.0f);
    Vec bounded = larger(x, splat(-127.0f));
    Vec shifted = bounded + magic;
    Vec y = polynomial<DEGREE>(bounded - (shifted - magic));
    Ints scaled = (Ints)y + ((Ints)shifted << 23);
    return (Vec)(scaled & (x >= splat(-126.0f)));
#endif
}

// While it lives, numbers below the normal ones count as 0: they are slow, and too small to matter.
struct Flush {
#if defined(__SSE__)
    unsigned before = _mm_getcsr();
    Flush() { _mm_setcsr(before | 0x8040); }
    ~Flush() { _mm_setcsr(before); }
#else
    Flush() {}
    ~Flush() {}
#endif
};

// Swap rows and columns of a square of vectors, in log2(LANES) rounds of swapping ever larger squares.
template <int HALF = 1>
INLINE void transpose(Vec* rows) {
    if constexpr (HALF < LANES) {
        Ints low{}, high{};
        for (int lane = 0; lane < LANES; ++lane) {
            low[lane] = (lane & HALF) ? LANES + lane - HALF : lane;
            high[lane] = (lane & HALF) ? LANES + lane : lane + HALF;
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; ++i) {
            if (i & HALF) continue;
            Vec a = rows[i], b = rows[i + HALF];
#if defined(__clang__)
            for (int lane = 0; lane < LANES; ++lane) {
                rows[i][lane] = low[lane] < LANES ? a[low[lane]] : b[low[lane] - LANES];
                rows[i + HALF][lane] = high[lane] < LANES ? a[high[lane]] : b[high[lane] - LANES];
            }
#else
            rows[i] = __builtin_shuffle(a, b, low);
            rows[i + HALF] = __builtin_shuffle(a, b, high);
#endif
        }
        transpose<HALF * 2>(rows);
    }
}
