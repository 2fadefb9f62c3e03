// Attention forward: 16 queries by a block of keys at a time, in three stages that overlap.
//
// While the vector units turn the scores of one step into probabilities, the matrix unit computes the scores of the
// next step and multiplies the probabilities of the last one with the values; the instructions are interleaved row by
// row, so that both find work within the processor's window. Scores live in base-2 logarithms.
#pragma once
#include "attention.h"
#include "amx_exp.h"
#include "amx_pack.h"
#include "amx_steps.h"

namespace amx {

// DEPTH: head size in units of 32 if it is 2 or 4, which keeps the queries in tiles; 0 for any other.
template <int METHOD, int DEPTH>
class Forward {
public:
    Forward(const Attention& a, Scratch& scratch)
        : mask_{a.queries, a.keys, a.causal != 0}, size_(a.head_size), depth_(up(a.head_size, PAIR) / PAIR),
          q_block_(a.parameters[0]), k_block_(a.parameters[1]), rule_(static_cast<Rule>(a.parameters[3])),
          overlap_(a.parameters[4] != 0), finest_(a.parameters[4] == 2),
          scale_(LOG2E / std::sqrt(static_cast<float>(a.head_size))) {
        int64_t rows = up(a.queries, PAIR), keys = up(a.keys, 2 * PAIR), d = depth_ * PAIR;
        slots_ = q_block_ / ROWS + 1;
        q_ = scratch.take<bf16>(rows * d);
        k_ = scratch.take<bf16>(keys * d, 4096);
        v_ = scratch.take<bf16>(keys * d, 4096);
        lengths_ = scratch.take<float>(rows);
        scores_ = scratch.take<float>(2 * ROWS * k_block_, 4096);
        weights_ = scratch.take<bf16>(2 * ROWS * most(k_block_, 64), 4096);
        states_ = scratch.take<State>(slots_);
        sums_ = scratch.take<float>(slots_ * ROWS * d);
        failed_ = scratch.take<int64_t>(rows / ROWS);
    }
    static int64_t bytes(const Attention& a) {
        int64_t d = up(a.head_size, PAIR), rows = up(a.queries, PAIR), keys = up(a.keys, 2 * PAIR);
        int64_t block = a.parameters[0];
        return 2 * d * (rows + 2 * keys) + 12 * rows + 12 * ROWS * most(a.parameters[1], 64) +
               (block / ROWS + 1) * static_cast<int64_t>(sizeof(State)) + 4 * (block + ROWS) * d;
    }

    // `ahead`: q, k and v of the head that comes next, read ahead while this one is computed.
    void head(const Matrix& q, const Matrix& k, const Matrix& v, const Matrix* ahead, bf16* out, float* lse) {
        out_ = out, lse_ = lse, ahead_ = ahead, ahead_row_ = 0;
        ahead_rows_ = PAIR * ROWS * (q.rows + 2 * k.rows) / (q.rows * k.rows) + 1;
        int64_t tiles = up(mask_.queries, ROWS) / ROWS;
        pack_rows(q, depth_ * PAIR, q_, rule_ == BOUND ? lengths_ : nullptr);
        longest_ = pack_columns<true>(k, depth_ * PAIR, k_);
        pack_pairs<true>(v, depth_ * PAIR, METHOD == 0 ? LANES : NATURAL, v_);
        blind(tiles);
        failures_ = 0;
        active_ = rule_ == BOUND && widest() > RANGE ? LAZILY : rule_;
        bool streams = false;
        if constexpr (DEPTH != 0) streams = active_ == BOUND && finest_, streams ? stream(tiles) : void();
        if (!streams) pass(0, tiles);
        active_ = LAZILY;
        for (int64_t i = 0; i < failures_; i++) pass(failed_[i], 1);
    }

private:
    // The most that a score can differ from 0.
    float widest() const {
        float most = 0;
        for (int64_t i = 0; i < mask_.queries; i++) most = lengths_[i] > most ? lengths_[i] : most;
        return most * longest_ * scale_;
    }

    // Rows before the first that sees a key.
    void blind(int64_t tiles) {
        int64_t rows = mask_.causal ? least(mask_.queries, most(0, mask_.queries - mask_.keys)) : 0;
        rows = least(rows, tiles * ROWS);
        memset(out_, 0, rows * size_ * 2);
        for (int64_t i = 0; i < rows; i++) lse_[i] = INFINITY;
    }

    void pass(int64_t first_tile, int64_t tiles) {
        Steps steps(mask_, q_block_, k_block_, first_tile, tiles);
        Step next, now, before;
        bool more = steps.next(next), current = false, done = false;
        int64_t turn = 0;
        while (more || current || done) {
            step(more ? &next : nullptr, current ? &now : nullptr, done ? &before : nullptr, turn++ & 1);
            if (done && before.last) finish(before);
            before = now, done = current;
            now = next, current = more;
            if (more) more = steps.next(next);
        }
    }

    // amx_stream.h: the same by a bound, 32 keys at a time.
    struct Products;
    void stream(int64_t tiles);
    MEMBER void read_ahead();
    MEMBER bf16* weights(int64_t pair, int64_t phase, int64_t turns) const;
    void end(const Step& s, int64_t turns);
    template <bool MASKED>
    MEMBER void turn(const Step& s, int64_t pair, int64_t phase, __m512* sums, bf16* to, Products& work);

    static MEMBER void load_sums(const float* from) {
        load<0>(from), load<1>(from + TILE_FLOATS), load<2>(from + 2 * TILE_FLOATS), load<3>(from + 3 * TILE_FLOATS);
    }
    static MEMBER void store_sums(float* to) {
        store<0>(to), store<1>(to + TILE_FLOATS), store<2>(to + 2 * TILE_FLOATS), store<3>(to + 3 * TILE_FLOATS);
    }

    State& state(const Step& s) { return states_[s.tile % slots_]; }
    float* sums(const Step& s) { return sums_ + s.tile % slots_ * ROWS * depth_ * PAIR; }

    // Scores of `next`, probabilities of `now`, values of `before`, interleaved in 16 turns (or one after the other).
    MEMBER void step(const Step* next, const Step* now, const Step* before, int64_t half) {
        int64_t quota = next ? 2 * next->pairs : 0, due = before ? depth_ * before->pairs : 0, made = 0, added = 0;
        Scoring scoring;
        Adding adding;
        if (next) scoring.begin(*this, *next, half);
        if (before) adding.begin(*this, *before, half);
        const int64_t turns = overlap_ ? ROWS : 1;
        bool reading = now && active_ != BOUND;
        int64_t parts = reading ? 2 : 1, part = 0;
        if (now && !reading) bound(*now);
        if (reading) {
            __m512 greatest[16];
            for (int64_t r = 0; r < ROWS; r++) {
                if (r % (ROWS / turns) == 0) advance(++part, parts * turns, scoring, quota, made, adding, due, added);
                greatest[r] = highest(*now, half ^ 1, r);
            }
            refer(*now, reduce16<Max>(greatest));
        }
        if (!now) {
            advance(1, 1, scoring, quota, made, adding, due, added);
            return;
        }
        for (int64_t r = 0; r < ROWS; r++) {
            if (r % (ROWS / turns) == 0) advance(++part, parts * turns, scoring, quota, made, adding, due, added);
            if (now->masked) row<true>(*now, half ^ 1, r);
            else row<false>(*now, half ^ 1, r);
        }
    }

    struct Scoring;
    struct Adding;
    MEMBER void advance(int64_t part, int64_t parts, Scoring& scoring, int64_t quota, int64_t& made, Adding& adding,
                               int64_t due, int64_t& added) {
        for (; made * parts < quota * part; made++) scoring.tile(depth_);
        for (; added * parts < due * part; added++) adding.two();
    }

    // Tiles of scores, one after the other: queries stay in tiles 1 to DEPTH, the sum is in tile 0.
    struct Scoring {
        const bf16 *q, *keys;
        float* to;
        int64_t at;
        MEMBER void begin(Forward& f, const Step& s, int64_t half) {
            q = f.q_ + s.tile * ROWS * f.depth_ * PAIR;
            keys = f.k_, at = s.key / ROWS;
            to = f.scores_ + half * ROWS * f.k_block_;
            if constexpr (DEPTH == 2) load<1>(q), load<2>(q + TILE_HALVES);
        }
        MEMBER void tile(int64_t depth) {
            zero<0>();
            const int64_t group = at / 2, first = at % 2 * depth, tiles = 2 * depth;
            if constexpr (DEPTH == 2) {
                const bf16* k = keys + place<true>(group, first, tiles);
                load<3>(k), multiply<0, 1, 3>();
                load<3>(k + TILE_HALVES), multiply<0, 2, 3>();
            } else {
                for (int64_t i = 0; i < (DEPTH ? DEPTH : depth); i++) {
                    load<1>(q + i * TILE_HALVES);
                    load<3>(keys + place<true>(group, first + i, tiles)), multiply<0, 1, 3>();
                }
            }
            store<0>(to);
            at++, to += TILE_FLOATS;
        }
    };

    // Sums of values, two tiles side by side: probabilities in tile 6, sums in tiles 4 and 5.
    struct Adding {
        const bf16 *p, *v;
        float* to;
        int64_t at = 0, column = 0, group, pairs, tiles;
        bool first;
        MEMBER void begin(Forward& f, const Step& s, int64_t half) {
            p = f.weights_ + half * ROWS * f.k_block_;
            v = f.v_, group = s.key / PAIR;
            to = f.sums(s);
            pairs = s.pairs, tiles = f.depth_ * 2, first = s.first;
            if (f.state(s).moved) f.rescale(s);
        }
        MEMBER void two() {
            if (at == 0 && first) zero<4>(), zero<5>();
            else if (at == 0) load<4>(to), load<5>(to + TILE_FLOATS);
            const bf16* values = v + place<true>(group + at, column, tiles);
            load<6>(p + at * TILE_HALVES);
            load<7>(values), multiply<4, 6, 7>();
            load<7>(values + TILE_HALVES), multiply<5, 6, 7>();
            if (++at < pairs) return;
            store<4>(to), store<5>(to + TILE_FLOATS);
            at = 0, to += 2 * TILE_FLOATS, column += 2;
        }
    };

    // Sets the reference of 16 queries from the lengths of vectors, once.
    void bound(const Step& s) {
        State& state = this->state(s);
        if (!s.first) return;
        __m512 reach = _mm512_mul_ps(_mm512_loadu_ps(lengths_ + s.tile * ROWS), _mm512_set1_ps(longest_ * scale_));
        set(state, _mm512_sub_ps(reach, _mm512_set1_ps(LIFT)));
        memset(state.sums, 0, sizeof state.sums);
        state.moved = false;
    }

    MEMBER void set(State& state, __m512 reference) {
        _mm512_store_ps(state.reference, reference);
        _mm512_store_ps(state.bias, power_.bias(_mm512_sub_ps(_mm512_setzero_ps(), reference)));
    }

    // The largest scores of one row, column by column.
    MEMBER __m512 highest(const Step& s, int64_t half, int64_t r) const {
        const float* from = scores_ + half * ROWS * k_block_ + r * 16;
        const __m512 none = _mm512_set1_ps(-INFINITY);
        __m512 x = none, y = none;
        int64_t seen = s.masked ? mask_.seen(s.tile * ROWS + r) - s.key : s.pairs * PAIR;
        for (int64_t i = 0; i < s.pairs; i++, from += 2 * TILE_FLOATS, seen -= PAIR) {
            x = _mm512_mask_max_ps(x, first16(seen), x, _mm512_load_ps(from));
            y = _mm512_mask_max_ps(y, first16(seen - 16), y, _mm512_load_ps(from + TILE_FLOATS));
        }
        return _mm512_max_ps(x, y);
    }

    // Moves the reference of 16 queries to where their scores are.
    void refer(const Step& s, __m512 greatest) {
        State& state = this->state(s);
        if (s.first) {
            memset(state.sums, 0, sizeof state.sums);
            _mm512_store_ps(state.reference, _mm512_set1_ps(-INFINITY));
        }
        __m512 old = _mm512_load_ps(state.reference);
        greatest = _mm512_mul_ps(greatest, _mm512_set1_ps(scale_));
        float room = active_ == LAZILY ? GROWTH : 0;
        __mmask16 grown = _mm512_cmp_ps_mask(greatest, _mm512_add_ps(old, _mm512_set1_ps(room)), _CMP_GT_OQ);
        state.moved = (grown || active_ == ALWAYS) && !s.first;
        if (!grown && !s.first) {
            if (state.moved) _mm512_store_ps(state.rescale, _mm512_set1_ps(1));
            return;
        }
        __m512 reference = _mm512_mask_mov_ps(old, grown, greatest);
        __m512 change = _mm512_sub_ps(old, reference);  // -inf before the first key, not a number where there is none
        alignas(64) float powers[16];
        _mm512_store_ps(powers, change);
        for (int r = 0; r < 16; r++) powers[r] = powers[r] < 0 ? std::exp2(powers[r]) : 1;
        _mm512_store_ps(state.rescale, _mm512_load_ps(powers));
        _mm512_store_ps(state.reference, reference);
        __mmask16 known = _mm512_cmp_ps_mask(reference, _mm512_set1_ps(-INFINITY), _CMP_GT_OQ);
        const __m512 zero = _mm512_setzero_ps();
        _mm512_store_ps(state.bias, power_.bias(_mm512_mask_sub_ps(zero, known, zero, reference)));
        if (!state.moved) return;
        for (int r = 0; r < 16; r++) {
            const __m512 sum = _mm512_load_ps(state.sums[r]);
            _mm512_store_ps(state.sums[r], _mm512_mul_ps(sum, _mm512_set1_ps(state.rescale[r])));
        }
    }

    void rescale(const Step& s) {
        float* to = sums(s);
        const State& state = this->state(s);
        for (int64_t i = 0; i < 2 * depth_; i++) {
            for (int64_t r = 0; r < ROWS; r++, to += 16) {
                _mm512_store_ps(to, _mm512_mul_ps(_mm512_load_ps(to), _mm512_set1_ps(state.rescale[r])));
            }
        }
    }

    // Probabilities of one query, and their sum.
    template <bool MASKED>
    MEMBER void row(const Step& s, int64_t half, int64_t r) {
        const float* from = scores_ + half * ROWS * k_block_ + r * 16;
        bf16* to = weights_ + half * ROWS * k_block_ + r * PAIR;
        State& state = this->state(s);
        const __m512 bias = _mm512_set1_ps(state.bias[r]), scale = _mm512_set1_ps(power_.scale(scale_));
        const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3F80);
        __m512 sum = _mm512_load_ps(state.sums[r]);
        int64_t seen = MASKED ? mask_.seen(s.tile * ROWS + r) - s.key : 0;
        for (int64_t i = 0; i < s.pairs; i++, from += 2 * TILE_FLOATS, to += TILE_HALVES, seen -= PAIR) {
            const __m512 a = _mm512_load_ps(from), b = _mm512_load_ps(from + TILE_FLOATS);
            __m512i p = power_.template two<MASKED>(a, b, scale, bias, bias, first16(seen), first16(seen - 16));
            sum = _mm512_dpbf16_ps(sum, (__m512bh)p, ones);
            _mm512_store_si512(to, p);
        }
        _mm512_store_ps(state.sums[r], sum);
    }

    // Divides, writes 16 rows and their lse; notes the tile where a bound was too far off.
    void finish(const Step& s) {
        const State& state = this->state(s);
        const int64_t query = s.tile * ROWS, rows = least(ROWS, mask_.queries - query);
        const int64_t blind = mask_.causal ? least(rows, most(0, mask_.queries - mask_.keys - query)) : 0;
        const __mmask16 wanted = first16(rows) & ~first16(blind);
        __m512 parts[16];
        for (int r = 0; r < 16; r++) parts[r] = _mm512_load_ps(state.sums[r]);
        const __m512 total = reduce16<Add>(parts);
        const __mmask16 right = _mm512_cmp_ps_mask(total, _mm512_set1_ps(TOO_SMALL), _CMP_GT_OQ) &
                                _mm512_cmp_ps_mask(total, _mm512_set1_ps(TOO_LARGE), _CMP_LT_OQ);
        if (active_ == BOUND && (wanted & ~right)) {
            failed_[failures_++] = s.tile;
            return;
        }
        const __m512 power = _mm512_add_ps(_mm512_load_ps(state.reference), log2_of(total));
        _mm512_mask_storeu_ps(lse_ + query, wanted, _mm512_mul_ps(power, _mm512_set1_ps(LN2)));
        alignas(64) float part[16];
        _mm512_store_ps(part, _mm512_div_ps(_mm512_set1_ps(1), total));
        for (int64_t r = blind; r < rows; r++) {
            write(out_ + (query + r) * size_, sums(s) + r * 16, _mm512_set1_ps(part[r]));
        }
    }

    MEMBER void write(bf16* to, const float* from, __m512 part) const {
        int64_t d = 0;
        for (; d + PAIR <= size_; d += PAIR, from += 2 * TILE_FLOATS) {
            const __m512 low = _mm512_load_ps(from), high = _mm512_load_ps(from + TILE_FLOATS);
            const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_mul_ps(high, part), _mm512_mul_ps(low, part));
            _mm512_storeu_si512(to + d, (__m512i)both);
        }
        for (; d < size_; d += 16, from += TILE_FLOATS) {
            write_bf16(to + d, _mm512_mul_ps(_mm512_load_ps(from), part), size_ - d);
        }
    }

    const Mask mask_;
    const int64_t size_, depth_, q_block_, k_block_;
    const Rule rule_;
    const bool overlap_, finest_;
    const float scale_;
    const Power<METHOD> power_{};
    Rule active_ = ALWAYS;
    float longest_ = 0;
    const Matrix* ahead_ = nullptr;
    int64_t slots_, failures_ = 0, ahead_row_ = 0, ahead_rows_ = 0;
    bf16 *q_, *k_, *v_, *weights_, *out_ = nullptr;
    float *lengths_, *scores_, *sums_, *lse_ = nullptr;
    State* states_;
    int64_t* failed_;
};

}  // namespace amx

#include "amx_stream.h"
