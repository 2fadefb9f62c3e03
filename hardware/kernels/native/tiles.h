// Products of small matrices, C = A B, by register tiles: rows of broadcast numbers times vectors, all shapes built once.
//
// B and C are row-major. A is read in one of two ways, so that nothing has to be transposed:
// by rows, A(i, k) = a[i * lda + k], or by columns, A(i, k) = a[k * lda + i].
#pragma once
#include <algorithm>
#include <array>
#include <utility>

#include "vector.h"

enum class Finish {
    store,   // C = A B
    peaks,   // C = A B, and extra[column] = max(extra[column], C)
    add,     // C += A B
    rescale  // C = C * extra[row] + A B
};
enum class By { rows, columns };

constexpr int MOST_ROWS = 14, MOST_WIDTH = 6;
constexpr int MOST_ACCUMULATORS = REGISTERS == 32 ? 28 : 13;

using Tile = void (*)(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t depth, float* c, int64_t ldc,
                      Finish finish, float* extra);

// Each row in turn, so that its address is the last one's plus a stride.
template <int ROWS, int WIDTH, class Work>
INLINE void each_vector(float* c, int64_t ldc, Work work) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i, c += ldc)
#pragma GCC unroll 8
        for (int n = 0; n < WIDTH; ++n) work(i, n, c + n * LANES);
}

template <int ROWS, int WIDTH>
INLINE void finish_tile(Vec (&sums)[ROWS][WIDTH], float* c, int64_t ldc, Finish finish, float* extra) {
    if (finish == Finish::add) {
        each_vector<ROWS, WIDTH>(c, ldc, [&](int i, int n, float* at) { store(at, sums[i][n] + load(at)); });
    } else if (finish == Finish::rescale) {
        each_vector<ROWS, WIDTH>(c, ldc, [&](int i, int n, float* at) { store(at, sums[i][n] + load(at) * extra[i]); });
    } else {
        each_vector<ROWS, WIDTH>(c, ldc, [&](int i, int n, float* at) { store(at, sums[i][n]); });
        if (finish != Finish::peaks) return;
#pragma GCC unroll 8
        for (int n = 0; n < WIDTH; ++n) {
            Vec most = load(extra + n * LANES);
#pragma GCC unroll 16
            for (int i = 0; i < ROWS; ++i) most = larger(sums[i][n], most);
            store(extra + n * LANES, most);
        }
    }
}

// One step of the product: every row's number times the vectors of B.
template <By BY, int ROWS, int WIDTH>
INLINE void step(Vec (&sums)[ROWS][WIDTH], const float* a, int64_t lda, const float* b) {
    Vec row[WIDTH];
#pragma GCC unroll 8
    for (int n = 0; n < WIDTH; ++n) row[n] = load(b + n * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
        const Vec x = splat(BY == By::rows ? a[i * lda] : a[i]);
#pragma GCC unroll 8
        for (int n = 0; n < WIDTH; ++n) sums[i][n] += row[n] * x;
    }
}

template <By BY, int ROWS, int WIDTH>
void tile(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t depth, float* c, int64_t ldc,
          Finish finish, float* extra) {
    Vec sums[ROWS][WIDTH];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 8
        for (int n = 0; n < WIDTH; ++n) sums[i][n] = Vec{};
    const int64_t next = BY == By::rows ? 1 : lda;
    for (; depth > 0; --depth, a += next, b += ldb) step<BY, ROWS, WIDTH>(sums, a, lda, b);
    finish_tile<ROWS, WIDTH>(sums, c, ldc, finish, extra);
}

template <By BY, int ROWS, int WIDTH>
constexpr Tile tile_if_it_fits() {
    if constexpr (ROWS >= 1 && WIDTH >= 1 && ROWS * WIDTH <= MOST_ACCUMULATORS) return tile<BY, ROWS, WIDTH>;
    return nullptr;
}

template <By BY, size_t... N>
constexpr auto table_of(std::index_sequence<N...>) {
    return std::array<Tile, sizeof...(N)>{tile_if_it_fits<BY, N % (MOST_ROWS + 1), N / (MOST_ROWS + 1)>()...};
}
template <By BY>
constexpr auto TILES = table_of<BY>(std::make_index_sequence<(MOST_ROWS + 1) * (MOST_WIDTH + 1)>());

// How many accumulators a tile may have, and how many vectors wide it may be.
struct TileLimits {
    int accumulators, width;
};

INLINE int rows_of(int accumulators, int width) {
    return std::max(1, std::min({MOST_ROWS, accumulators / width, MOST_ACCUMULATORS / width}));
}

// Piece number `at` when n things are cut into `pieces` as evenly as can be: the largest come first.
INLINE int64_t piece(int64_t n, int64_t pieces, int64_t at) { return n / pieces + (at < n % pieces); }
INLINE int64_t pieces_of(int64_t n, int64_t most) { return (n + most - 1) / most; }

// C (rows x vectors * LANES) from A and B, in even tiles within the limits.
template <By BY>
void product(TileLimits limits, int64_t rows, int64_t vectors, int64_t depth, const float* a, int64_t lda,
             const float* b, int64_t ldb, float* c, int64_t ldc, Finish finish, float* extra = nullptr) {
    const int64_t across = pieces_of(vectors, limits.width);
    for (int64_t x = 0, n = 0; x < across; ++x) {
        const int64_t width = piece(vectors, across, x);
        const int64_t down = pieces_of(rows, rows_of(limits.accumulators, (int)width));
        for (int64_t y = 0, i = 0; y < down; ++y) {
            const int64_t height = piece(rows, down, y);
            float* more = finish == Finish::peaks ? extra + n : extra + i;
            TILES<BY>[width * (MOST_ROWS + 1) + height](a + (BY == By::rows ? i * lda : i), lda, b + n, ldb, depth,
                                                        c + i * ldc + n, ldc, finish, more);
            i += height;
        }
        n += width * LANES;
    }
}
