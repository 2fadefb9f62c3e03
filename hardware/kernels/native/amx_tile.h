// Tiles of the matrix unit, their configuration, scratch memory, and reductions over vectors of 16.
#pragma once
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#define INLINE static inline __attribute__((always_inline))
#define MEMBER inline __attribute__((always_inline))

namespace amx {

using bf16 = uint16_t;
constexpr int64_t ROWS = 16;           // of a tile
constexpr int64_t PAIR = 32;           // bf16 numbers in a row of a tile: the depth of one product
constexpr int64_t TILE_BYTES = 1024;
constexpr int64_t TILE_FLOATS = 256;
constexpr int64_t TILE_HALVES = 512;
constexpr float LOG2E = 1.4426950408889634f;
constexpr float LN2 = 0.6931471805599453f;

INLINE int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// The compiler has no model of the tiles and does not reorder these instructions: they run in source order.
template <int T>
INLINE void load(const void* from, int64_t stride = 64) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(T) : "memory");
}
template <int T>
INLINE void store(void* to, int64_t stride = 64) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(T) : "memory");
}
template <int T>
INLINE void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(T));
}
template <int C, int A, int B>
INLINE void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

struct alignas(64) Configuration {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

// Holds the tiles from construction to destruction, all eight 16 rows by 64 bytes.
class Tiles {
public:
    Tiles() {
        Configuration all;
        for (int i = 0; i < 8; i++) all.bytes[i] = 64, all.rows[i] = ROWS;
        asm volatile("ldtilecfg %0" ::"m"(all));
    }
    ~Tiles() { asm volatile("tilerelease"); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

// Asks the kernel for the tiles' state, which a process gets once and keeps.
inline bool permitted() {
    constexpr long ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18;
    static const bool granted = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
    return granted;
}

// Memory of one thread, kept from call to call, handed out in aligned pieces.
class Scratch {
public:
    ~Scratch() { free(memory_); }
    // Allocates a number of bytes and discards all pieces. Returns false if there is no memory.
    bool reserve(int64_t bytes) {
        used_ = 0;
        bytes += 4096 * 24;  // alignment of the pieces
        if (bytes <= size_) return true;
        free(memory_);
        memory_ = static_cast<char*>(aligned_alloc(4096, up(bytes, 4096)));
        size_ = memory_ ? up(bytes, 4096) : 0;
        return memory_ != nullptr;
    }
    template <class T>
    T* take(int64_t count, int64_t alignment = 128) {
        used_ = up(used_, alignment);
        T* piece = reinterpret_cast<T*>(memory_ + used_);
        used_ += up(count * static_cast<int64_t>(sizeof(T)), 128) + 128;
        return piece;
    }

private:
    char* memory_ = nullptr;
    int64_t size_ = 0, used_ = 0;
};

struct Add {
    static MEMBER __m512 of(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
};
struct Max {
    static MEMBER __m512 of(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
};

// Reduces 16 vectors, each to the number at its place in the result.
template <class Op>
INLINE __m512 reduce16(const __m512* v) {
    __m512 w[4];
    for (int i = 0; i < 4; i++) {
        const __m512* x = v + 4 * i;
        __m512 ab = Op::of(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
        __m512 cd = Op::of(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
        w[i] = Op::of(_mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd))),
                      _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd))));
    }
    __m512 x = Op::of(_mm512_shuffle_f32x4(w[0], w[1], 0x44), _mm512_shuffle_f32x4(w[0], w[1], 0xEE));
    __m512 y = Op::of(_mm512_shuffle_f32x4(w[2], w[3], 0x44), _mm512_shuffle_f32x4(w[2], w[3], 0xEE));
    return Op::of(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xDD));
}

// Logarithms to base 2 of positive numbers, by the series of the inverse hyperbolic tangent.
INLINE __m512 log2_of(__m512 x) {
    const __m512 one = _mm512_set1_ps(1), m = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
    const __m512 t = _mm512_div_ps(_mm512_sub_ps(m, one), _mm512_add_ps(m, one)), u = _mm512_mul_ps(t, t);
    __m512 p = _mm512_set1_ps(1 / 11.0f);
    for (float c : {1 / 9.0f, 1 / 7.0f, 1 / 5.0f, 1 / 3.0f, 1.0f}) p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(c));
    const __m512 e = _mm512_sub_ps(_mm512_getexp_ps(x), _mm512_getexp_ps(m));
    return _mm512_fmadd_ps(_mm512_mul_ps(p, t), _mm512_set1_ps(2 * LOG2E), e);
}

INLINE __mmask16 first16(int64_t n) { return n >= 16 ? 0xFFFF : n <= 0 ? 0 : static_cast<__mmask16>((1u << n) - 1); }
INLINE __mmask32 first32(int64_t n) { return n >= 32 ? 0xFFFFFFFFu : n <= 0 ? 0 : (1u << n) - 1; }

INLINE void write_bf16(bf16* to, __m512 x, int64_t count) {
    _mm256_mask_storeu_epi16(to, first16(count), (__m256i)_mm512_cvtneps_pbh(x));
}

}  // namespace amx
