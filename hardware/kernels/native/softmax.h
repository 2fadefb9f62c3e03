// The softmax on blocks of scores that lie transposed, one row a key, one lane a query: no sums across lanes.
// Scores stay as the products give them until the largest is taken off: the scale to base 2 comes after.
#pragma once
#include "pack.h"

constexpr int MOST_PANEL = 6 * LANES;

// Below any product of real numbers, and finite, so that the difference of two of them is 0.
constexpr float LOWEST = -1e38f;

// Scores of keys after a query's last one become minus infinity. Lane n of column 0 sees the keys up to `last` + n.
inline void mask(float* scores, int64_t keys, int64_t vectors, int64_t first_key, int64_t last) {
    const Ints lanes = lane_numbers();
    for (int64_t j = 0; j < keys; ++j)
        for (int64_t n = 0; n < vectors; ++n) {
            float* at = scores + (j * vectors + n) * LANES;
            const Ints seen = lanes + (int32_t)(last + n * LANES) >= (int32_t)(first_key + j) - Ints{};
            store(at, choose(seen, load(at), splat(-__builtin_inff())));
        }
}

inline void peaks_of(const float* scores, int64_t keys, int64_t vectors, float* peaks) {
    for (int64_t n = 0; n < vectors; ++n) {
        Vec most = load(peaks + n * LANES);
        for (int64_t j = 0; j < keys; ++j) most = larger(load(scores + (j * vectors + n) * LANES), most);
        store(peaks + n * LANES, most);
    }
}

// scores = 2^((scores - shift) * scale), and totals += their sums.
template <int DEGREE, int VECTORS>
void exponentials(float* scores, int64_t keys, float scale, const float* shift, float* totals) {
    Vec sums[VECTORS], from[VECTORS];
    for (int n = 0; n < VECTORS; ++n) sums[n] = Vec{}, from[n] = load(shift + n * LANES);
    for (int64_t j = 0; j < keys; ++j, scores += VECTORS * LANES)
#pragma GCC unroll 8
        for (int n = 0; n < VECTORS; ++n) {
            const Vec p = exp2<DEGREE>((load(scores + n * LANES) - from[n]) * scale);
            sums[n] += p;
            store(scores + n * LANES, p);
        }
    for (int n = 0; n < VECTORS; ++n) store(totals + n * LANES, load(totals + n * LANES) + sums[n]);
}

// Backward: scores = P = 2^((scores - lse) * scale), and slopes = P (slopes - delta) * slope_scale.
template <int DEGREE, int VECTORS>
void gradients(float* scores, float* slopes, int64_t keys, float scale, float slope_scale, const float* lse,
               const float* delta) {
    Vec from[VECTORS], less[VECTORS];
    for (int n = 0; n < VECTORS; ++n) from[n] = load(lse + n * LANES), less[n] = load(delta + n * LANES);
    for (int64_t j = 0; j < keys; ++j, scores += VECTORS * LANES, slopes += VECTORS * LANES)
#pragma GCC unroll 8
        for (int n = 0; n < VECTORS; ++n) {
            const Vec p = exp2<DEGREE>((load(scores + n * LANES) - from[n]) * scale);
            store(scores + n * LANES, p);
            store(slopes + n * LANES, p * (load(slopes + n * LANES) - less[n]) * slope_scale);
        }
}

using Exponentials = void (*)(float*, int64_t, float, const float*, float*);
using Gradients = void (*)(float*, float*, int64_t, float, float, const float*, const float*);

#define EACH_WIDTH(F, D) F<D, 1>, F<D, 2>, F<D, 3>, F<D, 4>, F<D, 5>, F<D, 6>
#define EACH_DEGREE(F) {EACH_WIDTH(F, 3)}, {EACH_WIDTH(F, 4)}, {EACH_WIDTH(F, 5)}, {EACH_WIDTH(F, 6)}
constexpr Exponentials EXPONENTIALS[4][6] = {EACH_DEGREE(exponentials)};
constexpr Gradients GRADIENTS[4][6] = {EACH_DEGREE(gradients)};
#undef EACH_DEGREE
#undef EACH_WIDTH

template <int DEGREE>
void exp2_of(const float* x, float* y, int64_t vectors) {
    for (int64_t n = 0; n < vectors; ++n) store(y + n * LANES, exp2<DEGREE>(load(x + n * LANES)));
}
