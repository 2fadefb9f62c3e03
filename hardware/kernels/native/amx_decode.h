// One query row: keys and values are read once, at the speed of the memory, without packing or tiles.
#pragma once
#include "amx_exp.h"
#include "amx_pack.h"
#include "attention.h"

namespace amx {

constexpr int64_t CHUNK = 128;  // largest number of keys whose scores are kept

// DEPTH: head size in units of 32 if it is 2, which keeps sums in registers; 0 for any other.
template <int DEPTH>
class Decode {
public:
    Decode(int64_t chunk, int64_t ahead, int64_t size)
        : chunk_(least(chunk, CHUNK)), ahead_(ahead), depth_(up(size, PAIR) / PAIR),
          scale_(LOG2E / std::sqrt(static_cast<float>(size))) {}

    // Writes a row of `out` and its lse.
    void head(const Matrix& q, const Matrix& k, const Matrix& v, bf16* out, float* lse) {
        for (int64_t i = 0; i < depth(); i++) query_[i] = q.read(0, i * PAIR);
        for (int64_t i = 0; i < 2 * depth(); i++) sums_[i] = _mm512_setzero_ps();
        __m512 total = _mm512_setzero_ps();
        float reference = -INFINITY;
        for (int64_t key = 0; key < k.rows; key += chunk_) {
            const int64_t count = least(chunk_, k.rows - key);
            const float greatest = scores(k, key, count);
            if (greatest > reference) {
                const __m512 change = _mm512_set1_ps(std::exp2(reference - greatest));
                reference = greatest, total = _mm512_mul_ps(total, change);
                for (int64_t i = 0; i < 2 * depth(); i++) sums_[i] = _mm512_mul_ps(sums_[i], change);
            }
            total = _mm512_add_ps(total, weights(count, reference));
            values(v, key, count);
        }
        const float sum = _mm512_reduce_add_ps(total);
        const __m512 part = _mm512_set1_ps(sum > 0 ? 1 / sum : 0);
        for (int64_t d = 0; d < q.columns; d += PAIR) write(out + d, d / 16, part, q.columns - d);
        *lse = sum > 0 ? (reference + std::log2(sum)) * LN2 : INFINITY;
    }

private:
    MEMBER int64_t depth() const { return DEPTH ? DEPTH : depth_; }

    MEMBER void fetch(const Matrix& m, int64_t row) const {
        if (ahead_ == 0) return;
        const char* at = reinterpret_cast<const char*>(m.at + (row + ahead_) * m.stride);
        for (int64_t i = 0; i < depth(); i++) _mm_prefetch(at + 64 * i, _MM_HINT_T0);
    }

    MEMBER __m512i read(const Matrix& m, int64_t row, int64_t i) const {
        if (DEPTH && m.columns == DEPTH * PAIR) return _mm512_loadu_si512(m.at + row * m.stride + i * PAIR);
        return m.read(row, i * PAIR);
    }

    // Scores of a chunk of keys in powers of two; returns the greatest.
    float scores(const Matrix& k, int64_t key, int64_t count) {
        const __m512 scale = _mm512_set1_ps(scale_);
        __m512 greatest = _mm512_set1_ps(-INFINITY);
        for (int64_t j = 0; j < count; j += 16) {
            __m512 dots[16];
            for (int64_t r = 0; r < 16; r++) {
                dots[r] = _mm512_setzero_ps();
                if (j + r >= count) continue;
                fetch(k, key + j + r);
                for (int64_t i = 0; i < depth(); i++) {
                    dots[r] = _mm512_dpbf16_ps(dots[r], (__m512bh)query_[i], (__m512bh)read(k, key + j + r, i));
                }
            }
            const __m512 s = _mm512_mul_ps(reduce16<Add>(dots), scale);
            _mm512_store_ps(scores_ + j, s);
            greatest = _mm512_mask_max_ps(greatest, first16(count - j), greatest, s);
        }
        return _mm512_reduce_max_ps(greatest);
    }

    // Turns scores into probabilities and returns their sum.
    __m512 weights(int64_t count, float reference) {
        const __m512 by = _mm512_set1_ps(reference);
        __m512 sum = _mm512_setzero_ps();
        for (int64_t j = 0; j < count; j += 16) {
            __m512 p = power_.polynomial(_mm512_sub_ps(_mm512_load_ps(scores_ + j), by));
            p = _mm512_maskz_mov_ps(first16(count - j), p);
            sum = _mm512_add_ps(sum, p);
            _mm512_store_ps(scores_ + j, p);
        }
        return sum;
    }

    // Adds the values of a chunk; even and odd columns apart, as they lie in the words.
    void values(const Matrix& v, int64_t key, int64_t count) {
        constexpr int64_t MOST = DEPTH ? DEPTH : 8;
        const __m512i odd = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
        __m512 sums[2 * MOST];
        for (int64_t i = 0; i < 2 * depth(); i++) sums[i] = sums_[i];
        for (int64_t j = 0; j < count; j++) {
            const __m512 p = _mm512_set1_ps(scores_[j]);
            fetch(v, key + j);
            for (int64_t i = 0; i < depth(); i++) {
                const __m512i x = read(v, key + j, i);
                sums[2 * i] = _mm512_fmadd_ps(p, _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), sums[2 * i]);
                sums[2 * i + 1] = _mm512_fmadd_ps(p, _mm512_castsi512_ps(_mm512_and_si512(x, odd)), sums[2 * i + 1]);
            }
        }
        for (int64_t i = 0; i < 2 * depth(); i++) sums_[i] = sums[i];
    }

    // 32 numbers, even and odd columns interleaved again.
    void write(bf16* to, int64_t i, __m512 part, int64_t count) {
        const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(sums_[i], part)));
        const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(sums_[i + 1], part)));
        _mm512_mask_storeu_epi16(to, first32(count), _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }

    const int64_t chunk_, ahead_, depth_;
    const float scale_;
    const Power<5> power_{};
    __m512i query_[8];
    __m512 sums_[16];
    alignas(64) float scores_[CHUNK];
};

}  // namespace amx
