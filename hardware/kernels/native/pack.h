// Numbers of any dtype as rows of floats that end on a whole vector, and scratch memory that lives as long as its thread.
#pragma once
#include <cstdlib>
#include <new>

#include "attention.h"
#include "vector.h"

enum Dtype : int64_t { FP32 = 0, BF16 = 1, FP16 = 2 };

INLINE int64_t whole_vectors(int64_t n) { return (n + LANES - 1) / LANES; }

// Memory by slot, which grows and is reused; freed with the thread.
class Scratch {
  public:
    static float* get(int slot, int64_t floats) {
        static thread_local Scratch slots[SLOTS];
        return slots[slot].grown(floats);
    }
    ~Scratch() { std::free(data_); }

  private:
    static constexpr int SLOTS = 16;
    float* grown(int64_t floats) {
        const size_t bytes = ((size_t)floats * 4 + 4095) / 4096 * 4096;
        if (bytes > bytes_) {
            std::free(data_);
            bytes_ = 0;
            data_ = (float*)std::aligned_alloc(4096, bytes);
            if (!data_) throw std::bad_alloc();
            bytes_ = bytes;
        }
        return data_;
    }
    float* data_ = nullptr;
    size_t bytes_ = 0;
};

INLINE float from_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}
INLINE uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

INLINE float from_bf16(uint16_t x) { return from_bits((uint32_t)x << 16); }
INLINE uint16_t to_bf16(float x) {
    const uint32_t bits = bits_of(x);
    if (x != x) return (uint16_t)(bits >> 16 | 64);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#if defined(__F16C__)
INLINE float from_fp16(uint16_t x) { return _cvtsh_ss(x); }
INLINE uint16_t to_fp16(float x) { return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT); }
#elif defined(__aarch64__)
INLINE float from_fp16(uint16_t x) {
    __fp16 half;
    std::memcpy(&half, &x, 2);
    return half;
}
INLINE uint16_t to_fp16(float x) {
    const __fp16 half = (__fp16)x;
    uint16_t bits;
    std::memcpy(&bits, &half, 2);
    return bits;
}
#else
INLINE float from_fp16(uint16_t x) {
    const uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = x >> 10 & 31, fraction = x & 1023;
    if (exponent == 31) return from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    return (sign ? -1.0f : 1.0f) * (float)fraction * 5.9604644775390625e-8f;
}
INLINE uint16_t to_fp16(float x) {
    const uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (size >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (size < 0x38800000) {  // adding 1/2 rounds to a multiple of the smallest half
        return (uint16_t)(sign | (bits_of(from_bits(size) + 0.5f) - 0x3f000000));
    }
    return (uint16_t)(sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13);
}
#endif

INLINE void read_halves(const uint16_t* from, int64_t n, float* to) {
    int64_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(from + i))));
#endif
    for (; i < n; ++i) to[i] = from_fp16(from[i]);
}

INLINE void write_halves(const float* from, int64_t n, uint16_t* to) {
    int64_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i*)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < n; ++i) to[i] = to_fp16(from[i]);
}

// n numbers as floats, then zeros up to a whole vector.
inline void read_row(const void* from, int64_t dtype, int64_t n, float* to) {
    if (dtype == FP32) {
        std::memcpy(to, from, (size_t)n * 4);
    } else if (dtype == BF16) {
        for (int64_t i = 0; i < n; ++i) to[i] = from_bf16(((const uint16_t*)from)[i]);
    } else {
        read_halves((const uint16_t*)from, n, to);
    }
    for (int64_t i = n; i < whole_vectors(n) * LANES; ++i) to[i] = 0;
}

inline void write_row(const float* from, int64_t dtype, int64_t n, void* to) {
    if (dtype == FP32) {
        std::memcpy(to, from, (size_t)n * 4);
    } else if (dtype == BF16) {
        for (int64_t i = 0; i < n; ++i) ((uint16_t*)to)[i] = to_bf16(from[i]);
    } else {
        write_halves(from, n, (uint16_t*)to);
    }
}

// Rows of floats, each a whole number of vectors that may be read.
struct Rows {
    const float* data;
    int64_t stride;
    const float* at(int64_t row) const { return data + row * stride; }
};

INLINE int64_t bytes_of(int64_t dtype) { return dtype == FP32 ? 4 : 2; }

// The rows of one head where they lie if they can be used there, else a copy in a slot of scratch memory.
inline Rows rows_of_head(const Attention& a, const void* data, const int64_t* strides, int64_t batch, int64_t head,
                         int64_t rows, bool copy, int slot) {
    const char* first = (const char*)data + (batch * strides[0] + head * strides[1]) * bytes_of(a.dtype);
    if (!copy && a.dtype == FP32 && a.head_size % LANES == 0) return {(const float*)first, strides[2]};
    const int64_t padded = whole_vectors(a.head_size) * LANES, step = strides[2] * bytes_of(a.dtype);
    float* to = Scratch::get(slot, rows * padded);
    for (int64_t i = 0; i < rows; ++i) read_row(first + i * step, a.dtype, a.head_size, to + i * padded);
    return {to, padded};
}

// Where rows of results may be written: in place if they can be, else in scratch memory, to be delivered.
struct Results {
    float* data;
    int64_t stride;
    float* at(int64_t row) const { return data + row * stride; }
};

inline Results results_of_head(const Attention& a, void* head, int64_t rows, int slot) {
    if (a.dtype == FP32 && a.head_size % LANES == 0) return {(float*)head, a.head_size};
    const int64_t padded = whole_vectors(a.head_size) * LANES;
    return {Scratch::get(slot, rows * padded), padded};
}

INLINE void clear(const Results& results, int64_t rows) {
    std::memset(results.data, 0, (size_t)(rows * results.stride) * 4);
}

inline void deliver(const Attention& a, const Results& results, void* head, int64_t rows) {
    if ((void*)results.data == head) return;
    for (int64_t i = 0; i < rows; ++i)
        write_row(results.at(i), a.dtype, a.head_size, (char*)head + i * a.head_size * bytes_of(a.dtype));
}

// Columns of a panel: to[d][query] for `queries` rows from `first` on, zeros up to `vectors` whole vectors.
inline void pack_columns(const Rows& rows, int64_t first, int64_t queries, int64_t vectors, int64_t head_size,
                         float* to) {
    const int64_t width = vectors * LANES;
    for (int64_t v = 0; v < vectors; ++v) {
        const int64_t valid = queries - v * LANES;
        for (int64_t d = 0; d < head_size; d += LANES) {
            Vec square[LANES];
            for (int i = 0; i < LANES; ++i)
                square[i] = i < valid ? load(rows.at(first + v * LANES + i) + d) : Vec{};
            transpose(square);
            for (int i = 0; i < LANES; ++i) store(to + (d + i) * width + v * LANES, square[i]);
        }
    }
}
