// The output: panel by panel, with a running softmax over blocks of keys.
#pragma once
#include "panels.h"

// The running softmax of a panel, a number a lane; peaks and shift in the unit of scores.
struct Running {
    float peaks[MOST_PANEL], shift[MOST_PANEL], totals[MOST_PANEL], factors[MOST_PANEL];
    bool started = false;

    explicit Running(int64_t lanes) {
        for (int64_t n = 0; n < lanes; ++n) peaks[n] = LOWEST, shift[n] = LOWEST, totals[n] = 0;
    }

    // Take in the peaks of a block. Returns whether what was summed so far must be multiplied by the factors.
    bool move(const Plan& plan, int64_t skip, int64_t vectors) {
        const Vec slack = splat(plan.lazy && started ? LAZY / plan.log2_scale : 0.0f);
        bool grown = false;
        for (int64_t n = skip * LANES; n < (skip + vectors) * LANES; n += LANES)
            grown |= any_above(load(peaks + n), load(shift + n) + slack);
        if (!grown) return false;
        for (int64_t n = skip * LANES; n < (skip + vectors) * LANES; n += LANES) {
            const Vec next = larger(load(peaks + n), load(shift + n));
            const Vec factor = exp2<MOST_DEGREE>((load(shift + n) - next) * plan.log2_scale);
            store(factors + n, factor);
            store(totals + n, load(totals + n) * factor);
            store(shift + n, next);
        }
        return true;
    }
};

inline void forward_block(const Plan& plan, const Panel& panel, const Block& block, const Rows& k, const Rows& v,
                   const float* columns, Running& running, const Results& out) {
    const int64_t skipped = block.skip * LANES, width = block.vectors * LANES;
    float* scores = Scratch::get(SCORES, MOST_K_BLOCK * MOST_PANEL);
    const Finish finish = block.masked ? Finish::store : Finish::peaks;
    product<By::rows>(plan.tile, block.keys, block.vectors, plan.a.head_size, k.at(block.key), k.stride,
                      columns + skipped, panel.vectors * LANES, scores, width, finish, running.peaks + skipped);
    if (block.masked) {
        mask(scores, block.keys, block.vectors, block.key, plan.last_key(panel.first) + skipped);
        peaks_of(scores, block.keys, block.vectors, running.peaks + skipped);
    }
    const bool moved = running.move(plan, block.skip, block.vectors);
    EXPONENTIALS[plan.degree - LEAST_DEGREE][block.vectors - 1](scores, block.keys, plan.log2_scale,
                                                                running.shift + skipped, running.totals + skipped);
    const Finish onto = !running.started ? Finish::store : moved ? Finish::rescale : Finish::add;
    product<By::columns>(plan.out_tile, block.queries, plan.vectors, block.keys, scores, width, v.at(block.key),
                         v.stride, out.at(panel.first + skipped), out.stride, onto, running.factors + skipped);
    running.started = true;
}

inline void finish_rows(const Plan& plan, const Panel& panel, const Running& running, const Results& out, float* lse) {
    for (int64_t i = 0; i < panel.queries; ++i) {
        float* row = out.at(panel.first + i);
        const float total = running.totals[i], factor = 1.0f / total;
        // A row that sees no key may never have been written.
        for (int64_t n = 0; n < plan.vectors; ++n)
            store(row + n * LANES, total == 0.0f ? Vec{} : load(row + n * LANES) * factor);
        lse[panel.first + i] = total == 0.0f ? -__builtin_inff() : running.shift[i] + std::log2(total) / plan.log2_scale;
    }
}

inline void forward_panels(const Plan& plan, const Rows& q, const Rows& k, const Rows& v, const Results& out, float* lse) {
    float* columns = Scratch::get(Q_COLUMNS, MOST_HEAD_SIZE * MOST_PANEL);
    each_panel(plan, [&](const Panel& panel) {
        Running running(panel.vectors * LANES);
        pack_columns(q, panel.first, panel.queries, panel.vectors, plan.a.head_size, columns);
        each_block(plan, panel,
                   [&](const Block& block) { forward_block(plan, panel, block, k, v, columns, running, out); });
        finish_rows(plan, panel, running, out, lse);
    });
}
