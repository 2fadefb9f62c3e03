// The gradients: the weights are computed again from the logarithms of their sums, block by block.
#pragma once
#include "panels.h"

// One head's inputs as rows, and where its gradients go.
struct Gradient {
    Rows q, k, v, out, dout;
    Results dq, dk, dv;
    const float* lse;
};

// Transposed inputs of a panel, and numbers a lane.
struct Columns {
    float* q;
    float* dout;
    float lse[MOST_PANEL], delta[MOST_PANEL];

    Columns(const Plan& plan, const Panel& panel, const Gradient& g)
        : q(Scratch::get(Q_COLUMNS, MOST_HEAD_SIZE * MOST_PANEL)),
          dout(Scratch::get(DOUT_COLUMNS, MOST_HEAD_SIZE * MOST_PANEL)) {
        pack_columns(g.dout, panel.first, panel.queries, panel.vectors, plan.a.head_size, dout);
        pack_columns(g.out, panel.first, panel.queries, panel.vectors, plan.a.head_size, q);
        sum_products(plan.a.head_size, panel.vectors * LANES);
        pack_columns(g.q, panel.first, panel.queries, panel.vectors, plan.a.head_size, q);
        for (int64_t n = 0; n < panel.vectors * LANES; ++n) {
            const float from = n < panel.queries ? g.lse[panel.first + n] : -__builtin_inff();
            lse[n] = from == -__builtin_inff() ? __builtin_inff() : from;  // rows without visible keys have weights of 0
        }
    }

    // delta = the sum of dout * out, in the order in which dout v^T is summed: a key that gets all the weight leaves 0.
    void sum_products(int64_t head_size, int64_t lanes) {
        for (int64_t n = 0; n < lanes; n += LANES) {
            Vec total{};
            for (int64_t d = 0; d < head_size; ++d) total += load(dout + d * lanes + n) * load(q + d * lanes + n);
            store(delta + n, total);
        }
    }
};

inline void backward_block(const Plan& plan, const Panel& panel, const Block& block, const Columns& columns,
                           const Gradient& g) {
    const int64_t skipped = block.skip * LANES, width = block.vectors * LANES, lanes = panel.vectors * LANES;
    const int64_t query = panel.first + skipped, depth = plan.a.head_size;
    float* scores = Scratch::get(SCORES, MOST_K_BLOCK * MOST_PANEL);
    float* slopes = Scratch::get(SLOPES, MOST_K_BLOCK * MOST_PANEL);
    product<By::rows>(plan.tile, block.keys, block.vectors, depth, g.k.at(block.key), g.k.stride, columns.q + skipped,
                      lanes, scores, width, Finish::store);
    product<By::rows>(plan.tile, block.keys, block.vectors, depth, g.v.at(block.key), g.v.stride,
                      columns.dout + skipped, lanes, slopes, width, Finish::store);
    if (block.masked) mask(scores, block.keys, block.vectors, block.key, plan.last_key(panel.first) + skipped);
    GRADIENTS[plan.degree - LEAST_DEGREE][block.vectors - 1](scores, slopes, block.keys, plan.log2_scale, plan.scale,
                                                             columns.lse + skipped, columns.delta + skipped);
    product<By::rows>(plan.out_tile, block.keys, plan.vectors, block.queries, scores, width, g.dout.at(query),
                      g.dout.stride, g.dv.at(block.key), g.dv.stride, Finish::add);
    product<By::rows>(plan.out_tile, block.keys, plan.vectors, block.queries, slopes, width, g.q.at(query),
                      g.q.stride, g.dk.at(block.key), g.dk.stride, Finish::add);
    product<By::columns>(plan.out_tile, block.queries, plan.vectors, block.keys, slopes, width, g.k.at(block.key),
                         g.k.stride, g.dq.at(query), g.dq.stride, Finish::add);
}

inline void backward_head(const Plan& plan, int64_t batch, int64_t head) {
    const Attention& a = plan.a;
    const int64_t at = batch * a.heads + head, bytes = bytes_of(a.dtype) * a.head_size;
    char* dq = (char*)a.dq + at * a.queries * bytes;
    char* dk = (char*)a.dk + at * a.keys * bytes;
    char* dv = (char*)a.dv + at * a.keys * bytes;
    const int64_t rows[3] = {a.heads * a.queries * a.head_size, a.queries * a.head_size, a.head_size};
    const Gradient g{rows_of_head(a, a.q, a.q_strides, batch, head, a.queries, false, Q),
                     rows_of_head(a, a.k, a.k_strides, batch, head, a.keys, plan.copy, K),
                     rows_of_head(a, a.v, a.v_strides, batch, head, a.keys, plan.copy, V),
                     rows_of_head(a, a.out, rows, batch, head, a.queries, false, OUT),
                     rows_of_head(a, a.dout, a.dout_strides, batch, head, a.queries, false, DOUT),
                     results_of_head(a, dq, a.queries, DQ),
                     results_of_head(a, dk, a.keys, DK),
                     results_of_head(a, dv, a.keys, DV),
                     a.lse + at * a.queries};
    clear(g.dq, a.queries);
    clear(g.dk, a.keys);
    clear(g.dv, a.keys);
    each_panel(plan, [&](const Panel& panel) {
        const Columns columns(plan, panel, g);
        each_block(plan, panel, [&](const Block& block) { backward_block(plan, panel, block, columns, g); });
    });
    deliver(a, g.dq, dq, a.queries);
    deliver(a, g.dk, dk, a.keys);
    deliver(a, g.dv, dv, a.keys);
}
