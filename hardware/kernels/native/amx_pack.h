// Matrices of bf16 in the layouts that the tiles multiply, padded with zeros to whole tiles.
//
// rows:     left operand. [rows/16][depth/32] tiles of 16 rows x 32 numbers.
// columns:  right operand whose columns are the rows of the source. [rows/16][depth/32] tiles of 16 pairs x 16 rows.
// pairs:    right operand whose rows are the rows of the source, two by two. [rows/32][width/16] tiles of 16 pairs.
// across:   left operand, transposed: [rows/32][width/16] tiles of 16 columns x 32 rows.
#pragma once
#include "amx_tile.h"

namespace amx {

// One matrix of bf16: contiguous rows, a stride between them.
struct Matrix {
    const bf16* at;
    int64_t rows, columns, stride;
    bool last = false;  // of several

    MEMBER __m512i read(int64_t row, int64_t column) const {
        if (row >= rows) return _mm512_setzero_si512();
        return _mm512_maskz_loadu_epi16(first32(columns - column), at + row * stride + column);
    }
};

INLINE void transpose16(__m512i* x) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        x[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88), b = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
        __m512i c = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xDD), d = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xDD);
        t[i] = _mm512_shuffle_i32x4(a, b, 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(c, d, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(a, b, 0xDD);
        t[i + 12] = _mm512_shuffle_i32x4(c, d, 0xDD);
    }
    for (int i = 0; i < 16; i++) x[i] = t[i];
}

INLINE __m512 square(__m512 sum, __m512i x) { return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)x); }

// Writes tiles of rows, padded to 32, and where asked the length of each row.
inline void pack_rows(const Matrix& m, int64_t depth, bf16* to, float* lengths) {
    for (int64_t row = 0; row < up(m.rows, PAIR); row += ROWS) {
        __m512 squares[16];
        for (auto& each : squares) each = _mm512_setzero_ps();
        for (int64_t d = 0; d < depth; d += PAIR, to += TILE_HALVES) {
            for (int r = 0; r < 16; r++) {
                __m512i x = m.read(row + r, d);
                _mm512_store_si512(to + r * PAIR, x);
                squares[r] = square(squares[r], x);
            }
        }
        if (lengths) _mm512_storeu_ps(lengths + row, _mm512_sqrt_ps(reduce16<Add>(squares)));
    }
}

// Where the tiles of 32 rows lie: one after the other, or so that those of even groups of 32 fill one half of every
// 4096 bytes and those of odd groups the other. A load waits for an older store whose address ends in the same 12 bits;
// apart, loads of one group never meet stores that belong to the next.
template <bool APART>
INLINE int64_t place(int64_t group, int64_t tile, int64_t tiles) {
    if (!APART) return (group * tiles + tile) * TILE_HALVES;
    return (group / 2 * 2 * tiles + tile / 2 * 4 + (group + 1) % 2 * 2 + tile % 2) * TILE_HALVES;
}

// Writes tiles of columns, rows padded to 32; returns the length of the longest row.
template <bool APART = false>
float pack_columns(const Matrix& m, int64_t depth, bf16* base) {
    __m512 longest = _mm512_setzero_ps();
    const int64_t tiles = depth / ROWS;
    for (int64_t row = 0; row < up(m.rows, PAIR); row += ROWS) {
        __m512 squares = _mm512_setzero_ps();
        int64_t tile = row % PAIR ? tiles / 2 : 0;
        for (int64_t d = 0; d < depth; d += PAIR, tile++) {
            bf16* to = base + place<APART>(row / PAIR, tile, tiles);
            __m512i x[16];
            for (int r = 0; r < 16; r++) x[r] = m.read(row + r, d);
            transpose16(x);
            for (int r = 0; r < 16; r++) {
                _mm512_store_si512(to + r * PAIR, x[r]);
                squares = square(squares, x[r]);
            }
        }
        longest = _mm512_max_ps(longest, squares);
    }
    return std::sqrt(_mm512_reduce_max_ps(longest));
}

// The order of 32 rows in a tile of pairs: as they are, or as _mm512_packus_epi32 leaves two vectors of 16.
enum Order { NATURAL, LANES };

INLINE int64_t pair_row(Order order, int64_t pair) {
    if (order == NATURAL) return 2 * pair;
    int64_t lane = pair / 4, inside = pair % 4;
    return 4 * lane + 2 * (inside % 2) + 16 * (inside / 2);
}

// Writes tiles of pairs: 32 rows, then the width, then the next 32 rows.
template <bool APART = false>
void pack_pairs(const Matrix& m, int64_t width, Order order, bf16* base) {
    alignas(64) static const uint16_t LOW[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                                 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i low = _mm512_load_si512(LOW), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    for (int64_t row = 0; row < up(m.rows, PAIR); row += PAIR) {
        for (int64_t d = 0; d < width; d += PAIR) {
            bf16* to = base + place<APART>(row / PAIR, d / ROWS, width / ROWS);
            for (int64_t r = 0; r < 16; r++) {
                int64_t source = row + pair_row(order, r);
                __m512i a = m.read(source, d), b = m.read(source + 1, d);
                _mm512_store_si512(to + r * PAIR, _mm512_permutex2var_epi16(a, low, b));
                _mm512_store_si512(to + TILE_HALVES + r * PAIR, _mm512_permutex2var_epi16(a, high, b));
            }
        }
    }
}

// Writes tiles of rows across from tiles of pairs in Order NATURAL.
inline void pack_across(const bf16* pairs, int64_t tiles, bf16* to) {
    for (int64_t i = 0; i < tiles; i++, pairs += TILE_HALVES, to += TILE_HALVES) {
        __m512i x[16];
        for (int r = 0; r < 16; r++) x[r] = _mm512_load_si512(pairs + r * PAIR);
        transpose16(x);
        for (int r = 0; r < 16; r++) _mm512_store_si512(to + r * PAIR, x[r]);
    }
}

}  // namespace amx
