// The steps of a forward pass: 16 queries by a block of keys each, in an order that a block of queries shares.
#pragma once
#include "amx_mask.h"

namespace amx {

enum Rule { ALWAYS, LAZILY, BOUND };
constexpr float GROWTH = 8;     // LAZILY: how far, as a power of two, a score may rise above the reference
constexpr float LIFT = 60;      // BOUND: the greatest power of two that a probability can be
constexpr float RANGE = 170;    // BOUND: a wider bound is not tried
constexpr float TOO_SMALL = 1e-24f, TOO_LARGE = 1e30f;  // BOUND: sums outside are computed again, LAZILY

// One step: 16 queries from `tile * 16` on, and `pairs * 32` keys from `key` on.
struct Step {
    int64_t tile = 0, key = 0, pairs = 0;
    bool first = false, last = false, masked = false;
};

// All steps of a head: blocks of queries, in them blocks of keys, in them tiles of queries.
class Steps {
public:
    Steps(const Mask& mask, int64_t q_block, int64_t k_block, int64_t first_tile, int64_t tiles)
        : mask_(mask), tiles_in_block_(q_block / ROWS), k_block_(k_block), block_(first_tile),
          end_(first_tile + tiles) {
        tile_ = block_;
    }
    // Returns false when there is none left. Tiles that see no key have no step.
    bool next(Step& step) {
        for (; block_ < end_; block_ += tiles_in_block_, key_ = 0, tile_ = block_) {
            int64_t block_end = least(block_ + tiles_in_block_, end_);
            int64_t block_keys = mask_.seen(least(block_end * ROWS, mask_.queries) - 1);
            for (; key_ < block_keys; key_ += k_block_, tile_ = block_) {
                for (; tile_ < block_end; tile_++) {
                    if (describe(step)) return tile_++, true;
                }
            }
        }
        return false;
    }

private:
    bool describe(Step& step) const {
        int64_t seen = mask_.seen(least(tile_ * ROWS + ROWS, mask_.queries) - 1), left = seen - key_;
        if (left <= 0) return false;
        step.tile = tile_, step.key = key_;
        step.pairs = up(least(left, k_block_), PAIR) / PAIR;
        step.first = key_ == 0, step.last = left <= k_block_;
        step.masked = mask_.seen(tile_ * ROWS) < key_ + step.pairs * PAIR;
        return true;
    }
    Mask mask_;
    int64_t tiles_in_block_, k_block_, block_, end_, tile_, key_ = 0;
};

// What is known of 16 queries while their keys pass by.
struct alignas(64) State {
    float reference[16], bias[16], rescale[16];
    float sums[16][16];
    bool moved;
};

}  // namespace amx
