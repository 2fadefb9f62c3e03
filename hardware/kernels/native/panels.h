// What a call asks for, and how it is cut: panels of queries, and for each the blocks of keys that it sees.
#pragma once
#include <cmath>

#include "softmax.h"
#include "tiles.h"

constexpr int64_t FEW_QUERIES = 4, MANY_KEYS = 64;  // between these the work is to read keys and values
constexpr int64_t MOST_HEAD_SIZE = 256, MOST_K_BLOCK = 512;
constexpr float LAZY = 8.0f;  // with lazy rescaling, the maximum may grow by a factor of 2^8 before anything is done

enum Slot { Q, K, V, DOUT, OUT, DQ, DK, DV, Q_COLUMNS, DOUT_COLUMNS, SCORES, SLOPES };

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
