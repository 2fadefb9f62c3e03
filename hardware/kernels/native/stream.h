// The output for a few queries, as in decoding: keys and values pass once, at the speed of memory.
#pragma once
#include "forward.h"

// One query: a pass over the keys and values of a block at the speed of memory.
inline void stream_scores(const Plan& plan, const float* q, const Rows& k, int64_t key, int64_t keys, float* scores) {
    for (int64_t j = 0; j < keys; ++j) {
        const float* row = k.at(key + j);
        if (plan.prefetch)
            for (int64_t n = 0; n < plan.vectors; ++n)
                __builtin_prefetch(row + plan.prefetch * k.stride + n * LANES, 0, 2);
        Vec total{};
        for (int64_t n = 0; n < plan.vectors; ++n) total += load(q + n * LANES) * load(row + n * LANES);
        scores[j] = sum(total);
    }
}

template <int VECTORS>
void stream_values(const Plan& plan, const float* weights, const Rows& v, int64_t key, int64_t keys, int64_t column,
                   float factor, float* out) {
    Vec even[VECTORS], odd[VECTORS];
    for (int n = 0; n < VECTORS; ++n) even[n] = load(out + column + n * LANES) * factor, odd[n] = Vec{};
    int64_t j = 0;
    for (; j < keys; ++j) {
        const float* row = v.at(key + j) + column;
        Vec* sums = j % 2 ? odd : even;
#pragma GCC unroll 4
        for (int n = 0; n < VECTORS; ++n) {
            if (plan.prefetch) __builtin_prefetch(row + plan.prefetch * v.stride + n * LANES, 0, 2);
            sums[n] += load(row + n * LANES) * weights[j];
        }
    }
    for (int n = 0; n < VECTORS; ++n) store(out + column + n * LANES, even[n] + odd[n]);
}

inline void stream_block(const Plan& plan, const float* q, const Rows& k, const Rows& v, int64_t key, int64_t keys,
                  float* out, Running& running) {
    alignas(64) float weights[MOST_K_BLOCK + LANES];
    const int64_t padded = whole_vectors(keys) * LANES;
    stream_scores(plan, q, k, key, keys, weights);
    for (int64_t j = keys; j < padded; ++j) weights[j] = -__builtin_inff();
    float most = running.shift[0];
    for (int64_t j = 0; j < keys; ++j) most = std::max(most, weights[j]);
    const float factor = std::exp2((running.shift[0] - most) * plan.log2_scale);
    running.shift[0] = most;
    for (int64_t n = 0; n < padded; n += LANES) store(weights + n, (load(weights + n) - most) * plan.log2_scale);
    const auto exponential = plan.degree == 3   ? exp2_of<3>
                             : plan.degree == 4 ? exp2_of<4>
                             : plan.degree == 5 ? exp2_of<5>
                                                : exp2_of<6>;
    exponential(weights, weights, padded / LANES);
    Vec total{};
    for (int64_t n = 0; n < padded; n += LANES) total += load(weights + n);
    running.totals[0] = running.totals[0] * factor + sum(total);
    int64_t column = 0;
    for (; column + 4 * LANES <= plan.vectors * LANES; column += 4 * LANES)
        stream_values<4>(plan, weights, v, key, keys, column, factor, out);
    for (; column < plan.vectors * LANES; column += LANES)
        stream_values<1>(plan, weights, v, key, keys, column, factor, out);
}

inline void forward_stream(const Plan& plan, const Rows& q, const Rows& k, const Rows& v, const Results& out, float* lse) {
    for (int64_t i = 0; i < plan.a.queries; ++i) {
        const int64_t keys = std::max<int64_t>(0, plan.last_key(i) + 1), blocks = pieces_of(keys, plan.k_block);
        Running running(1);
        std::memset(out.at(i), 0, (size_t)plan.vectors * LANES * 4);
        for (int64_t at = 0, key = 0; at < blocks; ++at) {
            const int64_t count = piece(keys, blocks, at);
            stream_block(plan, q.at(i), k, v, key, count, out.at(i), running);
            key += count;
        }
        finish_rows(plan, Panel{i, 1, 1}, running, out, lse);
    }
}
