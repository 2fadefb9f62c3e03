// Attention in bf16 on the matrix unit (AMX) with AVX-512: forward, backward, and one query row.
//
// parameters: 0 rows of queries in a block (multiple of 16), 1 keys in a block (multiple of 32), 2 method of the
// exponential (0 = table, 1 to 5 = degree), 3 rescaling rule (0 always, 1 lazily, 2 by a bound), 4 overlap of vector
// and matrix work (0 none, 1 by blocks of keys, 2 by 32 keys where the rule is 2), 5 and 6 queries and keys in a block
// of the backward pass (multiples of 32), 7 rows that one query row reads ahead (0 = none).
#include "amx_backward.h"
#include "amx_decode.h"
#include "amx_forward.h"
#include "attention.h"

namespace amx {

static Matrix matrix(const void* at, const int64_t* strides, int64_t batch, int64_t head, int64_t rows,
                     int64_t columns) {
    return {static_cast<const bf16*>(at) + batch * strides[0] + head * strides[1], rows, columns, strides[2]};
}

// q, k and v of one head.
static void of_head(const Attention& a, int64_t i, Matrix* to) {
    const int64_t b = i / a.heads, h = i % a.heads;
    to[0] = matrix(a.q, a.q_strides, b, h, a.queries, a.head_size);
    to[1] = matrix(a.k, a.k_strides, b, h, a.keys, a.head_size);
    to[2] = matrix(a.v, a.v_strides, b, h, a.keys, a.head_size);
    to[2].last = true;
}

static Scratch& scratch() {
    static thread_local Scratch mine;
    return mine;
}

template <int METHOD, int DEPTH>
static int forward(const Attention& a) {
    if (!scratch().reserve(Forward<METHOD, DEPTH>::bytes(a))) return 4;
    Forward<METHOD, DEPTH> work(a, scratch());
    Tiles tiles;
    const int64_t heads = a.batch * a.heads;
    Matrix now[3], next[3];
    of_head(a, 0, next);
    for (int64_t i = 0; i < heads; i++) {
        for (int m = 0; m < 3; m++) now[m] = next[m];
        if (i + 1 < heads) of_head(a, i + 1, next);
        const int64_t row = i * a.queries;
        bf16* out = static_cast<bf16*>(a.out) + row * a.head_size;
        work.head(now[0], now[1], now[2], i + 1 < heads ? next : nullptr, out, a.lse + row);
    }
    return 0;
}

template <int DEPTH>
static int decode(const Attention& a) {
    Decode<DEPTH> work(a.parameters[1], a.parameters[7], a.head_size);
    for (int64_t b = 0; b < a.batch; b++) {
        for (int64_t h = 0; h < a.heads; h++) {
            const int64_t row = b * a.heads + h;
            work.head(matrix(a.q, a.q_strides, b, h, 1, a.head_size),
                      matrix(a.k, a.k_strides, b, h, a.keys, a.head_size),
                      matrix(a.v, a.v_strides, b, h, a.keys, a.head_size),
                      static_cast<bf16*>(a.out) + row * a.head_size, a.lse + row);
        }
    }
    return 0;
}

template <int METHOD, int DEPTH>
static int backward(const Attention& a) {
    if (!scratch().reserve(Backward<METHOD, DEPTH>::bytes(a))) return 4;
    Backward<METHOD, DEPTH> work(a, scratch());
    const int64_t n = a.queries, m = a.keys, d = a.head_size, out_strides[3] = {a.heads * n * d, n * d, d};
    Tiles tiles;
    for (int64_t b = 0; b < a.batch; b++) {
        for (int64_t h = 0; h < a.heads; h++) {
            const int64_t queries = (b * a.heads + h) * n, keys = (b * a.heads + h) * m;
            work.head({matrix(a.q, a.q_strides, b, h, n, d), matrix(a.k, a.k_strides, b, h, m, d),
                       matrix(a.v, a.v_strides, b, h, m, d), matrix(a.out, out_strides, b, h, n, d),
                       matrix(a.dout, a.dout_strides, b, h, n, d), a.lse + queries,
                       static_cast<bf16*>(a.dq) + queries * d, static_cast<bf16*>(a.dk) + keys * d,
                       static_cast<bf16*>(a.dv) + keys * d});
        }
    }
    return 0;
}

template <int METHOD>
static int any_depth(const Attention& a) {
    const int64_t depth = up(a.head_size, PAIR) / PAIR;
    if (a.backward) return depth == 2 ? backward<METHOD, 2>(a) : backward<METHOD, 0>(a);
    if (depth == 2) return forward<METHOD, 2>(a);
    return depth == 4 ? forward<METHOD, 4>(a) : forward<METHOD, 0>(a);
}

static bool sensible(const Attention& a) {
    const int64_t* p = a.parameters;
    const bool sizes = a.queries >= 1 && a.keys >= 1 && a.head_size >= 1 && a.head_size <= 256;
    const bool blocks = p[0] >= 16 && p[0] % 16 == 0 && p[1] >= 32 && p[1] % 32 == 0;
    const bool methods = p[2] >= 0 && p[2] <= 5 && p[3] >= 0 && p[3] <= 2;
    const bool grad_blocks = p[5] >= 32 && p[5] % 32 == 0 && p[6] >= 32 && p[6] % 32 == 0;
    return sizes && blocks && methods && grad_blocks && p[7] >= 0;
}

}  // namespace amx

extern "C" int attention(const Attention* a) {
    using namespace amx;
    if (a->dtype != 1) return 1;
    if (!sensible(*a)) return 2;
    if (!permitted()) return 3;
    if (a->queries == 1 && !a->backward) return up(a->head_size, PAIR) == 2 * PAIR ? decode<2>(*a) : decode<0>(*a);
    switch (a->parameters[2]) {
        case 0: return any_depth<0>(*a);
        case 1: return any_depth<1>(*a);
        case 2: return any_depth<2>(*a);
        case 3: return any_depth<3>(*a);
        case 4: return any_depth<4>(*a);
        default: return any_depth<5>(*a);
    }
}
