// Attention forward by a bound, 32 keys at a time: the part of Forward where the work is interleaved most finely.
#pragma once
#include "amx_forward.h"

namespace amx {

// The same by a bound, 32 keys at a time and the sums of 16 queries in tiles 0 to 3. In phase n all loads are from
// one half of 4096 bytes and all stores to the other, see place(). With heads of 128 the other four tiles of sums
// follow when the step is over.
template <int METHOD, int DEPTH>
inline void Forward<METHOD, DEPTH>::stream(int64_t tiles) {
    Steps steps(mask_, q_block_, k_block_, 0, tiles);
    Step now, next, before;
    bool current = steps.next(now), done = false;
    Products work;
    int64_t phase = 0, turns = 0;
    if (current) {
        work.scores(*this, now, 0, 0);
        for (int64_t part = 0; part < 16; part++) work.part(part);
    }
    while (current) {
        const bool more = steps.next(next);
        bound(now);
        State& state = this->state(now);
        __m512 sums[16];
        for (int r = 0; r < 16; r++) sums[r] = _mm512_load_ps(state.sums[r]);
        for (int64_t pair = 0; pair < now.pairs; pair++, phase ^= 1) {
            if (pair + 1 < now.pairs) work.scores(*this, now, pair + 1, phase ^ 1);
            else if (more) work.scores(*this, next, 0, phase ^ 1);
            else work.k = nullptr;
            bf16* to = weights(pair, phase, turns);
            read_ahead();
            if (now.masked) turn<true>(now, pair, phase, sums, to, work);
            else turn<false>(now, pair, phase, sums, to, work);
            if (pair == 0 && done) end(before, turns ^ 1);
            work.values(*this, now, pair, to);
        }
        for (int r = 0; r < 16; r++) _mm512_store_ps(state.sums[r], sums[r]);
        before = now, done = true, turns ^= 1;
        now = next, current = more;
    }
    if (!done) return;
    work.k = nullptr;
    for (int64_t part = 0; part < 16; part++) work.part(part);
    end(before, turns ^ 1);
}

template <int METHOD, int DEPTH>
MEMBER void Forward<METHOD, DEPTH>::read_ahead() {
    for (int64_t i = 0; i < ahead_rows_ && ahead_; i++) {
        if (ahead_row_ == ahead_->rows) {
            ahead_row_ = 0;
            if (ahead_->last) {
                ahead_ = nullptr;
                return;
            }
            ahead_++;
        }
        const char* at = reinterpret_cast<const char*>(ahead_->at + ahead_row_++ * ahead_->stride);
        for (int64_t line = 0; line < DEPTH; line++) _mm_prefetch(at + 64 * line, _MM_HINT_T1);
    }
}

// Where the probabilities of a phase go; with heads of 128 those of a whole step are kept.
template <int METHOD, int DEPTH>
MEMBER bf16* Forward<METHOD, DEPTH>::weights(int64_t pair, int64_t phase, int64_t turns) const {
    if (DEPTH == 2) return weights_ + (phase ^ 1) * 2 * TILE_HALVES;
    return weights_ + turns * ROWS * k_block_ + pair * TILE_HALVES;
}

template <int METHOD, int DEPTH>
inline void Forward<METHOD, DEPTH>::end(const Step& s, int64_t turns) {
    if constexpr (DEPTH == 4) {
        float* to = sums(s) + 4 * TILE_FLOATS;
        if (s.first) zero<0>(), zero<1>(), zero<2>(), zero<3>();
        else load_sums(to);
        for (int64_t pair = 0; pair < s.pairs; pair++) {
            const bf16* v = v_ + place<true>(s.key / PAIR + pair, 4, 8);
            load<6>(weights(pair, 0, turns));
            load<7>(v), multiply<0, 6, 7>();
            load<7>(v + TILE_HALVES), multiply<1, 6, 7>();
            load<7>(v + 4 * TILE_HALVES), multiply<2, 6, 7>();
            load<7>(v + 5 * TILE_HALVES), multiply<3, 6, 7>();
        }
        store_sums(to);
    }
    if (s.last) finish(s);
}

// The products of one phase in 16 parts: scores of the keys to come, values of the keys gone by.
template <int METHOD, int DEPTH>
struct Forward<METHOD, DEPTH>::Products {
    const bf16 *q = nullptr, *k = nullptr, *p = nullptr, *v = nullptr;
    float *scored = nullptr, *to = nullptr;
    bool first = false, last = false, zeroed = false;

    MEMBER void scores(Forward& f, const Step& s, int64_t pair, int64_t phase) {
        q = f.q_ + s.tile * DEPTH * TILE_HALVES;
        k = f.k_ + place<true>(s.key / PAIR + pair, 0, 2 * DEPTH);
        scored = f.scores_ + phase * 2 * TILE_FLOATS;
    }
    MEMBER void values(Forward& f, const Step& s, int64_t pair, const bf16* weights) {
        p = weights;
        v = f.v_ + place<true>(s.key / PAIR + pair, 0, 2 * DEPTH);
        to = f.sums(s);
        first = pair == 0, last = pair + 1 == s.pairs, zeroed = s.first;
    }
    MEMBER void part(int64_t i) {
        if (k && i < 11) score(i);
        if (v && i >= 7) add(i);
    }
    MEMBER void score(int64_t i) {
        if (i == 0) zero<4>(), zero<5>();
        if (i < 8 && i % 2 == 0 && DEPTH == 4) left(i / 2), right<4>(i / 2), right<5>(i / 2 + 4);
        if (i < 8 && i % 4 == 0 && DEPTH == 2) left(i / 4), right<4>(i / 4);
        if (i < 8 && i % 4 == 2 && DEPTH == 2) right<5>(i / 4 + 2);
        if (i == 9) store<4>(scored);
        if (i == 10) store<5>(scored + TILE_FLOATS);
    }
    MEMBER void left(int64_t i) { load<6>(q + i * TILE_HALVES); }
    template <int SUM>
    MEMBER void right(int64_t i) {
        load<7>(k + i / 2 * 4 * TILE_HALVES + i % 2 * TILE_HALVES), multiply<SUM, 6, 7>();
    }
    MEMBER void add(int64_t i) {
        if (i == 7 && first) {
            if (zeroed) zero<0>(), zero<1>(), zero<2>(), zero<3>();
            else load_sums(to);
        }
        if (i == 8) load<6>(p), load<7>(v), multiply<0, 6, 7>();
        if (i == 10) load<7>(v + TILE_HALVES), multiply<1, 6, 7>();
        if (i == 12) load<7>(v + 4 * TILE_HALVES), multiply<2, 6, 7>();
        if (i == 14) load<7>(v + 5 * TILE_HALVES), multiply<3, 6, 7>();
        if (i == 15 && last) {
            store_sums(to);
        }
    }
};

// Probabilities of 16 queries and 32 keys, with the products of the phase between the rows.
template <int METHOD, int DEPTH>
template <bool MASKED>
MEMBER void Forward<METHOD, DEPTH>::turn(const Step& s, int64_t pair, int64_t phase, __m512* sums, bf16* to,
                                          Products& work) {
    const Power<METHOD> power = power_;
    const float *from = scores_ + phase * 2 * TILE_FLOATS, *biases = state(s).bias;
    const __m512 scale = _mm512_set1_ps(power.scale(scale_));
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3F80);
#pragma GCC unroll 16
    for (int64_t r = 0; r < ROWS; r++) {
        work.part(r);
        const int64_t seen = MASKED ? mask_.seen(s.tile * ROWS + r) - s.key - pair * PAIR : 0;
        const __m512 bias = _mm512_set1_ps(biases[r]);
        const __m512 a = _mm512_load_ps(from + r * 16), b = _mm512_load_ps(from + TILE_FLOATS + r * 16);
        __m512i p = power.template two<MASKED>(a, b, scale, bias, bias, first16(seen), first16(seen - 16));
        sums[r] = _mm512_dpbf16_ps(sums[r], (__m512bh)p, ones);
        _mm512_store_si512(to + r * PAIR, p);
    }
}

}  // namespace amx
