// The gradients of attention: probabilities computed again, with keys as rows and queries as columns.
//
// For a tile of 16 keys and 32 queries at a time: S' = K Q' and dP' = V dO' on the matrix unit; then P' = 2^(S' - lse)
// and dS' = P' (dP' - delta) on the vectors. As rows of keys they are left operands of dV += P' dO and dK += dS' Q;
// with two rows of keys interleaved dS' is the right operand of dQ' += K' dS'. Sums are floats,
// and dQ' is turned round at the end.
#pragma once
#include "amx_exp.h"
#include "amx_mask.h"
#include "amx_pack.h"
#include "attention.h"

namespace amx {

template <int METHOD, int DEPTH>
class Backward {
public:
    Backward(const Attention& a, Scratch& scratch)
        : mask_{a.queries, a.keys, a.causal != 0}, size_(a.head_size), depth_(up(a.head_size, PAIR) / PAIR),
          q_block_(a.parameters[5]), k_block_(a.parameters[6]), overlap_(a.parameters[4] != 0),
          scale_(1 / std::sqrt(static_cast<float>(a.head_size))) {
        int64_t d = depth_ * PAIR, queries = up(a.queries, PAIR) * d, keys = up(a.keys, PAIR) * d;
        for (bf16** each : {&q_columns_, &dout_columns_, &q_pairs_, &dout_pairs_}) *each = scratch.take<bf16>(queries);
        for (bf16** each : {&k_rows_, &v_rows_, &k_across_, &k_pairs_}) *each = scratch.take<bf16>(keys);
        bias_ = scratch.take<float>(up(a.queries, PAIR));
        delta_ = scratch.take<float>(up(a.queries, PAIR));
        dq_ = scratch.take<float>(queries);
        dk_ = scratch.take<float>(k_block_ * d);
        dv_ = scratch.take<float>(k_block_ * d);
        scores_ = scratch.take<float>(2 * 4 * TILE_FLOATS);
        weights_ = scratch.take<bf16>(2 * 2 * ROWS * q_block_);
        across_ = scratch.take<bf16>(k_block_ * q_block_);
    }
    static int64_t bytes(const Attention& a) {
        int64_t d = up(a.head_size, PAIR), queries = up(a.queries, PAIR), keys = up(a.keys, PAIR);
        int64_t q_block = a.parameters[5], k_block = a.parameters[6];
        return d * (12 * queries + 8 * keys + 8 * k_block) + 8 * queries + 8 * TILE_BYTES + 128 * q_block +
               2 * k_block * q_block;
    }

    struct Head {
        Matrix q, k, v, out, dout;
        const float* lse;
        bf16 *dq, *dk, *dv;
    };

    void head(const Head& h) {
        pack(h);
        memset(dq_, 0, up(mask_.queries, PAIR) * depth_ * PAIR * 4);
        for (int64_t key = 0; key < mask_.keys; key += k_block_) {
            keys(h, key, least(k_block_, up(mask_.keys - key, PAIR)));
        }
        write_dq(h.dq);
    }

private:
    void pack(const Head& h) {
        const int64_t d = depth_ * PAIR;
        pack_rows(h.k, d, k_rows_, nullptr);
        pack_rows(h.v, d, v_rows_, nullptr);
        pack_columns(h.q, d, q_columns_);
        pack_columns(h.dout, d, dout_columns_);
        pack_pairs(h.q, d, NATURAL, q_pairs_);
        pack_pairs(h.dout, d, METHOD == 0 ? LANES : NATURAL, dout_pairs_);
        pack_pairs(h.k, d, NATURAL, k_pairs_);
        pack_across(k_pairs_, up(mask_.keys, PAIR) * d / TILE_HALVES, k_across_);
        for (int64_t row = 0; row < up(mask_.queries, PAIR); row += ROWS) deltas(h, row);
    }

    // The row sums of dout * out, and the bias of the exponential: -lse, or -inf where a query sees nothing.
    void deltas(const Head& h, int64_t row) {
        __m512 sums[16];
        for (int64_t r = 0; r < 16; r++) {
            sums[r] = _mm512_setzero_ps();
            for (int64_t d = 0; d < size_; d += PAIR) {
                const __m512i dout = h.dout.read(row + r, d), out = h.out.read(row + r, d);
                sums[r] = _mm512_dpbf16_ps(sums[r], (__m512bh)dout, (__m512bh)out);
            }
        }
        _mm512_storeu_ps(delta_ + row, reduce16<Add>(sums));
        __mmask16 there = first16(mask_.queries - row);
        __m512 lse = _mm512_mask_loadu_ps(_mm512_set1_ps(INFINITY), there, h.lse + row);
        _mm512_storeu_ps(bias_ + row, power_.bias(_mm512_mul_ps(lse, _mm512_set1_ps(-LOG2E))));
    }

    // One block of keys against all queries.
    void keys(const Head& h, int64_t key, int64_t count) {
        const int64_t bytes = count * depth_ * PAIR * 4;
        memset(dk_, 0, bytes), memset(dv_, 0, bytes);
        for (int64_t query = 0; query < mask_.queries; query += q_block_) {
            int64_t pairs = least(q_block_, up(mask_.queries - query, PAIR)) / PAIR;
            if (mask_.first(key) >= query + pairs * PAIR) continue;
            block(key, count, query, pairs);
        }
        write(h.dk, dk_, key, count, scale_);
        write(h.dv, dv_, key, count, 1);
    }

    void block(int64_t key, int64_t count, int64_t query, int64_t pairs) {
        adding_.steps = adding_.done = 0;
        int64_t half = 0;
        for (int64_t k = 0; k < count; k += ROWS, half ^= 1) {
            int64_t from = least(pairs, most(0, mask_.first(key + k) - query) / PAIR);
            for (int64_t pair = 0; pair < from; pair++) blank(k, pair);
            tile(key, k, query, from, pairs, half);
            adding_.finish();
            adding_.begin(*this, k, query, from, pairs, half);
        }
        adding_.finish();
        for (int64_t pair = 0; pair < pairs; pair++) add_dq(key, count, query, pair);
    }

    // The half of a right operand of dQ that belongs to 16 keys and 16 of 32 queries.
    MEMBER bf16* across(int64_t k, int64_t pair, int64_t side) {
        return across_ + ((pair * 2 + side) * (k_block_ / PAIR) + k / PAIR) * TILE_HALVES + (k % PAIR) / 2 * PAIR;
    }

    void blank(int64_t k, int64_t pair) {
        for (int64_t side = 0; side < 2; side++) memset(across(k, pair, side), 0, TILE_BYTES / 2);
    }

    // 16 keys against a block of queries: P' and dS', while products of the 16 keys before are added.
    void tile(int64_t key, int64_t k, int64_t query, int64_t from, int64_t pairs, int64_t half) {
        const int64_t turns = 8 * (pairs - from);
        int64_t turn = 0;
        if (from < pairs) products(key + k, query + from * PAIR), finish_products(0);
        for (int64_t pair = from; pair < pairs; pair++) {
            const bool more = pair + 1 < pairs;
            const int64_t q = query + pair * PAIR, now = (pair - from) & 1;
            const bool masked = key + k + ROWS > mask_.keys || mask_.first(key + k + ROWS - 1) > q;
            if (!overlap_ && more) products(key + k, q + PAIR), finish_products(now ^ 1);
            for (int64_t r = 0; r < ROWS; r += 2) {
                if (overlap_ && more && r == 0) products(key + k, q + PAIR);
                if (overlap_ && more && r == 8) finish_products(now ^ 1);
                if (overlap_) adding_.advance(++turn, turns);
                if (masked) rows<true>(key, k, q, pair, r, now, half);
                else rows<false>(key, k, q, pair, r, now, half);
            }
        }
    }

    // Scores in tiles 0 and 1, the products of values and output gradients in 2 and 3.
    MEMBER void products(int64_t key, int64_t query) {
        product<0, 1>(k_rows_ + key * depth_ * PAIR, q_columns_ + query * depth_ * PAIR);
        product<2, 3>(v_rows_ + key * depth_ * PAIR, dout_columns_ + query * depth_ * PAIR);
    }
    template <int A, int B>
    MEMBER void product(const bf16* rows, const bf16* columns) {
        zero<A>(), zero<B>();
        for (int64_t i = 0; i < (DEPTH ? DEPTH : depth_); i++) {
            load<4>(rows + i * TILE_HALVES);
            load<5>(columns + i * TILE_HALVES), multiply<A, 4, 5>();
            load<5>(columns + ((DEPTH ? DEPTH : depth_) + i) * TILE_HALVES), multiply<B, 4, 5>();
        }
    }
    MEMBER void finish_products(int64_t now) {
        float* to = scores_ + now * 4 * TILE_FLOATS;
        store<0>(to), store<1>(to + TILE_FLOATS), store<2>(to + 2 * TILE_FLOATS), store<3>(to + 3 * TILE_FLOATS);
    }

    // P' and dS' of two keys and 32 queries.
    template <bool MASKED>
    MEMBER void rows(int64_t key, int64_t k, int64_t query, int64_t pair, int64_t r, int64_t now, int64_t half) {
        __m512i first = row<MASKED>(key + k, query, pair, r, now, half);
        __m512i second = row<MASKED>(key + k, query, pair, r + 1, now, half);
        _mm512_store_si512(across(k, pair, 0) + r / 2 * PAIR, _mm512_unpacklo_epi16(first, second));
        _mm512_store_si512(across(k, pair, 1) + r / 2 * PAIR, _mm512_unpackhi_epi16(first, second));
    }
    template <bool MASKED>
    MEMBER __m512i row(int64_t key, int64_t query, int64_t pair, int64_t r, int64_t now, int64_t half) {
        const float* from = scores_ + now * 4 * TILE_FLOATS + r * 16;
        bf16* to = weights_ + (half * q_block_ / PAIR + pair) * 2 * TILE_HALVES + r * PAIR;
        const __m512 scale = _mm512_set1_ps(power_.scale(scale_ * LOG2E));
        __mmask16 low = 0xFFFF, high = 0xFFFF;
        if (MASKED) {
            int64_t hidden = mask_.first(key + r) - query;
            low = ~first16(hidden), high = ~first16(hidden - 16);
        }
        __m512 a = _mm512_load_ps(from), b = _mm512_load_ps(from + TILE_FLOATS);
        __m512i p = power_.template wide<MASKED>(a, b, scale, _mm512_load_ps(bias_ + query),
                                                 _mm512_load_ps(bias_ + query + 16), low, high);
        const float *dp = from + 2 * TILE_FLOATS, *delta = delta_ + query;
        a = _mm512_mul_ps(a, _mm512_sub_ps(_mm512_load_ps(dp), _mm512_load_ps(delta)));
        b = _mm512_mul_ps(b, _mm512_sub_ps(_mm512_load_ps(dp + TILE_FLOATS), _mm512_load_ps(delta + 16)));
        __m512i ds = (__m512i)_mm512_cvtne2ps_pbh(b, a);
        _mm512_store_si512(to, p);
        _mm512_store_si512(to + TILE_HALVES, ds);
        return ds;
    }

    // dV and dK of 16 keys, two tiles side by side: left operand in tile 4, right in 5, sums in 6 and 7.
    struct Adding {
        const bf16 *left[2], *right[2];
        float* sums[2];
        int64_t steps = 0, done = 0, pairs = 0, width = 0, at = 0, column = 0, which = 0;

        MEMBER void begin(Backward& b, int64_t k, int64_t query, int64_t from, int64_t to, int64_t half) {
            const bf16* weights = b.weights_ + (half * b.q_block_ / PAIR + from) * 2 * TILE_HALVES;
            const int64_t rows = (query + from * PAIR) * b.depth_ * PAIR;
            left[0] = weights, left[1] = weights + TILE_HALVES;
            right[0] = b.dout_pairs_ + rows, right[1] = b.q_pairs_ + rows;
            sums[0] = b.dv_ + k * b.depth_ * PAIR, sums[1] = b.dk_ + k * b.depth_ * PAIR;
            pairs = to - from, width = b.depth_;
            steps = 2 * width * pairs, done = at = column = which = 0;
        }
        MEMBER void advance(int64_t part, int64_t parts) {
            for (; done * parts < steps * part; done++) two();
        }
        void finish() {
            for (; done < steps; done++) two();
        }
        MEMBER void two() {
            float* to = sums[which] + column * 2 * TILE_FLOATS;
            if (at == 0) load<6>(to), load<7>(to + TILE_FLOATS);
            const bf16* columns = right[which] + (at * width + column) * 2 * TILE_HALVES;
            load<4>(left[which] + at * 2 * TILE_HALVES);
            load<5>(columns), multiply<6, 4, 5>();
            load<5>(columns + TILE_HALVES), multiply<7, 4, 5>();
            if (++at < pairs) return;
            store<6>(to), store<7>(to + TILE_FLOATS);
            at = 0;
            if (++column == width) column = 0, which++;
        }
    };

    // dQ' of 32 queries: for each two tiles of its rows, both halves of the queries.
    void add_dq(int64_t key, int64_t count, int64_t query, int64_t pair) {
        const int64_t last = least(query + pair * PAIR + PAIR, mask_.queries) - 1;
        const int64_t groups = up(least(count, most(0, mask_.seen(last) - key)), PAIR) / PAIR, tiles = 2 * depth_;
        if (groups == 0) return;
        float* to = dq_ + (query + pair * PAIR) * depth_ * PAIR;
        const bf16* ds = across(0, pair, 0);
        const int64_t side = k_block_ / PAIR * TILE_HALVES;
        for (int64_t d = 0; d < tiles; d += 2, to += 4 * TILE_FLOATS) {
            load<0>(to), load<1>(to + TILE_FLOATS), load<2>(to + 2 * TILE_FLOATS), load<3>(to + 3 * TILE_FLOATS);
            const bf16* left = k_across_ + key * depth_ * PAIR + d * TILE_HALVES;
            for (int64_t g = 0; g < groups; g++, left += tiles * TILE_HALVES) {
                load<4>(left), load<6>(ds + g * TILE_HALVES), multiply<0, 4, 6>();
                load<7>(ds + side + g * TILE_HALVES), multiply<1, 4, 7>();
                load<5>(left + TILE_HALVES), multiply<2, 5, 6>(), multiply<3, 5, 7>();
            }
            store<0>(to), store<1>(to + TILE_FLOATS), store<2>(to + 2 * TILE_FLOATS), store<3>(to + 3 * TILE_FLOATS);
        }
    }

    void write(bf16* to, const float* from, int64_t key, int64_t count, float factor) {
        const __m512 by = _mm512_set1_ps(factor);
        for (int64_t k = 0; k < least(count, mask_.keys - key); k++) {
            const float* row = from + k / ROWS * ROWS * depth_ * PAIR + k % ROWS * 16;
            for (int64_t d = 0; d < size_; d += 16, row += TILE_FLOATS) {
                write_bf16(to + (key + k) * size_ + d, _mm512_mul_ps(_mm512_load_ps(row), by), size_ - d);
            }
        }
    }

    // Turns dQ' round. Column c of the two sides of 32 queries is query 8 (c / 4) + c % 4, and 4 more.
    void write_dq(bf16* to) {
        const __m512 by = _mm512_set1_ps(scale_);
        for (int64_t query = 0; query < mask_.queries; query += PAIR) {
            for (int64_t d = 0; d < size_; d += 16) {
                for (int64_t side = 0; side < 2; side++) {
                    const float* from = dq_ + query * depth_ * PAIR + (d / 16 * 2 + side) * TILE_FLOATS;
                    __m512i x[16];
                    for (int r = 0; r < 16; r++) x[r] = _mm512_load_si512(from + r * 16);
                    transpose16(x);
                    for (int64_t c = 0; c < 16; c++) {
                        int64_t row = query + 8 * (c / 4) + c % 4 + 4 * side;
                        if (row >= mask_.queries) continue;
                        write_bf16(to + row * size_ + d, _mm512_mul_ps(_mm512_castsi512_ps(x[c]), by), size_ - d);
                    }
                }
            }
        }
    }

    const Mask mask_;
    const int64_t size_, depth_, q_block_, k_block_;
    const bool overlap_;
    const float scale_;
    const Power<METHOD> power_{};
    Adding adding_;
    bf16 *q_columns_, *dout_columns_, *q_pairs_, *dout_pairs_, *k_rows_, *v_rows_, *k_across_, *k_pairs_;
    bf16 *weights_, *across_;
    float *bias_, *delta_, *dq_, *dk_, *dv_, *scores_;
};

}  // namespace amx
