// Queries and keys of one head, and where the mask lies.
#pragma once
#include "amx_tile.h"

namespace amx {

struct Mask {
    int64_t queries, keys;
    bool causal;
    // How many keys a query sees.
    MEMBER int64_t seen(int64_t query) const {
        if (query >= queries) return 0;
        return causal ? most(0, least(keys, query + 1 + keys - queries)) : keys;
    }
    // The first query that sees a key; `queries` or more if none does.
    MEMBER int64_t first(int64_t key) const {
        if (key >= keys) return queries;
        return causal ? most(0, key - keys + queries) : 0;
    }
};

}  // namespace amx
