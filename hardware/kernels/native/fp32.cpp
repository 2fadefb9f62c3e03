// Attention in fp32, forward and backward, for any vector width: scores are kept transposed, a row for a key and a lane
// for a query, so that the softmax needs no sums across lanes, and K and V are used where they lie.
//
// One panel of queries (a few vectors wide) stays in the first-level cache, while keys and values pass by in blocks.
#include <cmath>

#include "softmax.h"
#include "tiles.h"

namespace {

constexpr int64_t FEW_QUERIES = 4, MOST_HEAD_SIZE = 256, MOST_K_BLOCK = 512;
constexpr float LOG2E = 1.44269504088896340736f;
constexpr float LAZY = 8.0f;  // with lazy rescaling, the maximum may grow by a factor of 2^8 before anything is done

enum Slot { Q, K, V, DOUT, OUT, DK, DV, Q_COLUMNS, DOUT_COLUMNS, SCORES, SLOPES, STATISTICS };

struct Plan {
    const Attention& a;
    TileLimits tile, out_tile;
    int64_t k_block, lazy, degree, copy, prefetch;
    int64_t vectors;  // of a padded row
    float scale, log2_scale;

    explicit Plan(const Attention& a)
        : a(a),
          tile{(int)a.parameters[2], (int)a.parameters[0]},
          out_tile{(int)a.parameters[2], (int)a.parameters[1]},
          k_block(a.parameters[3]),
          lazy(a.parameters[4]),
          degree(a.parameters[5]),
          copy(a.parameters[6]),
          prefetch(a.parameters[7]),
          vectors(whole_vectors(a.head_size)),
          scale(1.0f / std::sqrt((float)a.head_size)),
          log2_scale((float)(1.44269504088896340736 / std::sqrt((double)a.head_size))) {}

    bool possible() const {
        const bool sizes = a.head_size >= 1 && a.head_size <= MOST_HEAD_SIZE && a.dtype >= FP32 && a.dtype <= FP16;
        const bool tiles = tile.width >= 1 && tile.width <= MOST_WIDTH && out_tile.width >= 1 &&
                           out_tile.width <= MOST_WIDTH && tile.accumulators >= 1;
        return sizes && tiles && k_block >= 1 && k_block <= MOST_K_BLOCK && degree >= LEAST_DEGREE &&
               degree <= MOST_DEGREE && prefetch >= 0;
    }
    int64_t last_key(int64_t query) const {
        return a.causal ? std::min(a.keys - 1, query + a.keys - a.queries) : a.keys - 1;
    }
};

// A panel: some queries of one head. Lane n is query `first` + n.
struct Panel {
    int64_t first, queries, vectors;
};

template <class Work>
void each_panel(const Plan& plan, Work work) {
    const int64_t vectors = whole_vectors(plan.a.queries), panels = pieces_of(vectors, plan.tile.width);
    for (int64_t at = 0, first = 0; at < panels; ++at) {
        const int64_t width = piece(vectors, panels, at);
        work(Panel{first, std::min(width * LANES, plan.a.queries - first), width});
        first += width * LANES;
    }
}

// A block: the keys from `key` on, for the lanes of a panel from vector `skip` on; the others see none of them.
struct Block {
    int64_t key, keys, skip, vectors, queries;
    bool masked;
};

// Blocks that all lanes see, evenly cut; then along the diagonal one vector of keys at a time.
template <class Work>
void each_block(const Plan& plan, const Panel& panel, Work work) {
    const int64_t seen_by_all = std::max<int64_t>(0, plan.last_key(panel.first) + 1);
    const int64_t blocks = pieces_of(seen_by_all, plan.k_block);
    for (int64_t at = 0, key = 0; at < blocks; ++at) {
        const int64_t keys = piece(seen_by_all, blocks, at);
        work(Block{key, keys, 0, panel.vectors, panel.queries, false});
        key += keys;
    }
    if (!plan.a.causal) return;
    const int64_t end = plan.last_key(panel.first + panel.queries - 1) + 1;
    for (int64_t skip = 0; skip < panel.vectors; ++skip) {
        const int64_t start = panel.first + plan.a.keys - plan.a.queries + 1 + skip * LANES;
        const int64_t from = std::max<int64_t>(0, start), to = std::min(start + LANES, end);
        if (from < to)
            work(Block{from, to - from, skip, panel.vectors - skip, panel.queries - skip * LANES, true});
    }
}

// The running softmax of a panel, a number a lane.
struct Running {
    float peaks[MOST_PANEL], shift[MOST_PANEL], totals[MOST_PANEL], factors[MOST_PANEL];
    bool started = false;

    Running(const Plan& plan, int64_t lanes) {
        for (int64_t n = 0; n < lanes; ++n) peaks[n] = LOWEST, shift[n] = LOWEST * plan.log2_scale, totals[n] = 0;
    }

    // Take in the peaks of a block. Returns whether what was summed so far must be multiplied by the factors.
    bool move(const Plan& plan, int64_t skip, int64_t vectors) {
        const Vec slack = splat(plan.lazy && started ? LAZY : 0.0f);
        bool grown = false;
        for (int64_t n = skip * LANES; n < (skip + vectors) * LANES; n += LANES)
            grown |= any_above(load(peaks + n) * plan.log2_scale, load(shift + n) + slack);
        if (!grown) return false;
        for (int64_t n = skip * LANES; n < (skip + vectors) * LANES; n += LANES) {
            const Vec next = larger(load(peaks + n) * plan.log2_scale, load(shift + n));
            const Vec factor = exp2<MOST_DEGREE>(load(shift + n) - next);
            store(factors + n, factor);
            store(totals + n, load(totals + n) * factor);
            store(shift + n, next);
        }
        return true;
    }
};

void forward_block(const Plan& plan, const Panel& panel, const Block& block, const Rows& k, const Rows& v,
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

void finish_rows(const Plan& plan, const Panel& panel, const Running& running, const Results& out, float* lse) {
    for (int64_t i = 0; i < panel.queries; ++i) {
        float* row = out.at(panel.first + i);
        const float total = running.totals[i], factor = 1.0f / total;
        // A row that sees no key may never have been written.
        for (int64_t n = 0; n < plan.vectors; ++n)
            store(row + n * LANES, total == 0.0f ? Vec{} : load(row + n * LANES) * factor);
        lse[panel.first + i] = total == 0.0f ? -__builtin_inff() : running.shift[i] + std::log2(total);
    }
}

void forward_panels(const Plan& plan, const Rows& q, const Rows& k, const Rows& v, const Results& out, float* lse) {
    float* columns = Scratch::get(Q_COLUMNS, MOST_HEAD_SIZE * MOST_PANEL);
    each_panel(plan, [&](const Panel& panel) {
        Running running(plan, panel.vectors * LANES);
        pack_columns(q, panel.first, panel.queries, panel.vectors, plan.a.head_size, columns);
        each_block(plan, panel,
                   [&](const Block& block) { forward_block(plan, panel, block, k, v, columns, running, out); });
        finish_rows(plan, panel, running, out, lse);
    });
}

// One query: a pass over the keys and values of a block at the speed of memory.
void stream_scores(const Plan& plan, const float* q, const Rows& k, int64_t key, int64_t keys, float* scores) {
    for (int64_t j = 0; j < keys; ++j) {
        const float* row = k.at(key + j);
        if (plan.prefetch)
            for (int64_t n = 0; n < plan.vectors; ++n)
                __builtin_prefetch(row + plan.prefetch * k.stride + n * LANES, 0, 2);
        Vec total{};
        for (int64_t n = 0; n < plan.vectors; ++n) total += load(q + n * LANES) * load(row + n * LANES);
        scores[j] = sum(total) * plan.log2_scale;
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

void stream_block(const Plan& plan, const float* q, const Rows& k, const Rows& v, int64_t key, int64_t keys,
                  float* out, Running& running) {
    alignas(64) float weights[MOST_K_BLOCK + LANES];
    const int64_t padded = whole_vectors(keys) * LANES;
    stream_scores(plan, q, k, key, keys, weights);
    for (int64_t j = keys; j < padded; ++j) weights[j] = -__builtin_inff();
    float most = running.shift[0];
    for (int64_t j = 0; j < keys; ++j) most = std::max(most, weights[j]);
    const float factor = std::exp2(running.shift[0] - most);
    running.shift[0] = most;
    for (int64_t n = 0; n < padded; n += LANES) store(weights + n, load(weights + n) - most);
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

void forward_stream(const Plan& plan, const Rows& q, const Rows& k, const Rows& v, const Results& out, float* lse) {
    for (int64_t i = 0; i < plan.a.queries; ++i) {
        const int64_t keys = std::max<int64_t>(0, plan.last_key(i) + 1), blocks = pieces_of(keys, plan.k_block);
        Running running(plan, 1);
        std::memset(out.at(i), 0, (size_t)plan.vectors * LANES * 4);
        for (int64_t at = 0, key = 0; at < blocks; ++at) {
            const int64_t count = piece(keys, blocks, at);
            stream_block(plan, q.at(i), k, v, key, count, out.at(i), running);
            key += count;
        }
        finish_rows(plan, Panel{i, 1, 1}, running, out, lse);
    }
}

void forward_head(const Plan& plan, int64_t batch, int64_t head) {
    const Attention& a = plan.a;
    const int64_t at = batch * a.heads + head;
    const Rows q = rows_of_head(head_of(a.q, a.q_strides, a.dtype, batch, head), a.q_strides[2], a.dtype, a.queries,
                                a.head_size, false, Q);
    const Rows k = rows_of_head(head_of(a.k, a.k_strides, a.dtype, batch, head), a.k_strides[2], a.dtype, a.keys,
                                a.head_size, plan.copy && a.queries > FEW_QUERIES, K);
    const Rows v = rows_of_head(head_of(a.v, a.v_strides, a.dtype, batch, head), a.v_strides[2], a.dtype, a.keys,
                                a.head_size, plan.copy && a.queries > FEW_QUERIES, V);
    char* to = (char*)a.out + at * a.queries * a.head_size * bytes_of(a.dtype);
    const Results out = results_of_head(to, a.dtype, a.queries, a.head_size, OUT);
    (a.queries > FEW_QUERIES ? forward_panels : forward_stream)(plan, q, k, v, out, a.lse + at * a.queries);
    deliver(out, to, a.dtype, a.queries, a.head_size);
}

}  // namespace

extern "C" int attention(const Attention* a) {
    const Plan plan(*a);
    if (!plan.possible() || a->backward) return 1;
    try {
        const Flush flush;
        for (int64_t batch = 0; batch < a->batch; ++batch)
            for (int64_t head = 0; head < a->heads; ++head) forward_head(plan, batch, head);
    } catch (const std::bad_alloc&) {
        return 2;
    }
    return 0;
}
