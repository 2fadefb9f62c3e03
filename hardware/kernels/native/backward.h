// The gradients: the weights are computed again from the logarithms of their sums, block by block.
#pragma once
#include "panels.h"

// One head's inputs as rows, and where its gradients go.
struct Gradient {
    Rows q, k, v, dout;
    Results dq, dk, dv;
    const float* delta;  // of a query: the sum of dout * out
    const float* lse;    // base 2; infinite for a query that sees no key
};

// Transposed inputs of a panel, and numbers a lane.
struct Columns {
    float* q;
    float* dout;
    float lse[MOST_PANEL], delta[MOST_PANEL];

    Columns(const Plan& plan, const Panel& panel, const Gradient& g)
        : q(Scratch::get(Q_COLUMNS, MOST_HEAD_SIZE * MOST_PANEL)),
          dout(Scratch::get(DOUT_COLUMNS, MOST_HEAD_SIZE * MOST_PANEL)) {
        pack_columns(g.q, panel.first, panel.queries, panel.vectors, plan.a.head_size, q);
        pack_columns(g.dout, panel.first, panel.queries, panel.vectors, plan.a.head_size, dout);
        for (int64_t n = 0; n < panel.vectors * LANES; ++n) {
            const bool valid = n < panel.queries;
            lse[n] = valid ? g.lse[panel.first + n] : __builtin_inff();
            delta[n] = valid ? g.delta[panel.first + n] : 0;
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

// The two numbers a query that the forward pass left: lse, and the sum of dout * out.
inline void statistics(const Plan& plan, const Rows& dout, const char* out, const float* lse, float* delta,
                       float* safe_lse) {
    const int64_t size = plan.a.head_size;
    alignas(64) float row[MOST_HEAD_SIZE];
    for (int64_t i = 0; i < plan.a.queries; ++i) {
        read_row(out + i * size * bytes_of(plan.a.dtype), plan.a.dtype, size, row);
        Vec total{};
        for (int64_t n = 0; n < plan.vectors; ++n) total += load(row + n * LANES) * load(dout.at(i) + n * LANES);
        delta[i] = sum(total);
        safe_lse[i] = lse[i] == -__builtin_inff() ? __builtin_inff() : lse[i];
    }
}

inline void backward_head(const Plan& plan, int64_t batch, int64_t head) {
    const Attention& a = plan.a;
    const int64_t at = batch * a.heads + head, bytes = bytes_of(a.dtype) * a.head_size;
    char* dq = (char*)a.dq + at * a.queries * bytes;
    char* dk = (char*)a.dk + at * a.keys * bytes;
    char* dv = (char*)a.dv + at * a.keys * bytes;
    float* numbers = Scratch::get(STATISTICS, 2 * a.queries);
    const Gradient g{rows_of_head(a, a.q, a.q_strides, batch, head, a.queries, false, Q),
                     rows_of_head(a, a.k, a.k_strides, batch, head, a.keys, plan.copy, K),
                     rows_of_head(a, a.v, a.v_strides, batch, head, a.keys, plan.copy, V),
                     rows_of_head(a, a.dout, a.dout_strides, batch, head, a.queries, false, DOUT),
                     results_of_head(a, dq, a.queries, OUT),
                     results_of_head(a, dk, a.keys, DK),
                     results_of_head(a, dv, a.keys, DV),
                     numbers,
                     numbers + a.queries};
    statistics(plan, g.dout, (const char*)a.out + at * a.queries * bytes, a.lse + at * a.queries, numbers,
               numbers + a.queries);
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
