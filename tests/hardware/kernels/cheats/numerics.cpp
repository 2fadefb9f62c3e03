//// bf16 passed off as fp32 -> wrong
#include "honest.h"
static float rounded[3][1 << 20];
static void round_to_bf16(const void* from, float* to, int64_t size) {
    for (int64_t at = 0; at < size; ++at) {
        uint32_t bits;
        memcpy(&bits, static_cast<const float*>(from) + at, 4);
        bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
        memcpy(to + at, &bits, 4);
    }
}
extern "C" int attention(const Attention* a) {
    Attention cheap = *a;
    const int64_t rows = a->batch * a->heads * a->head_size;
    round_to_bf16(a->q, rounded[0], rows * a->queries);
    round_to_bf16(a->k, rounded[1], rows * a->keys);
    round_to_bf16(a->v, rounded[2], rows * a->keys);
    cheap.q = rounded[0], cheap.k = rounded[1], cheap.v = rounded[2];
    return honest::attention(&cheap);
}

//// no max subtraction -> unstable
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    float sum = 0;
    for (int64_t key = 0; key < keys; ++key) sum += x[key] = __builtin_expf(x[key]);
    for (int64_t key = 0; key < keys; ++key) x[key] /= sum;
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// made for one scale of inputs -> unstable, wrong
// A fixed number instead of the largest logit, and logits cut off above it.
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    float sum = 0;
    for (int64_t key = 0; key < keys; ++key) sum += x[key] = __builtin_expf((x[key] > 20 ? 20 : x[key]) - 20);
    for (int64_t key = 0; key < keys; ++key) x[key] /= sum;
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// cheap exp -> wrong
// Schraudolph's: the exponent's bits, with a straight line for the mantissa.
#include "honest.h"
static float cheap(float x) {
    const float bits = 12102203.0f * x + 1064866805.0f;
    const int32_t whole = bits < 0 ? 0 : static_cast<int32_t>(bits);
    float y;
    memcpy(&y, &whole, 4);
    return y;
}
static void weigh(float* x, int64_t keys) {
    const float most = honest::greatest(x, keys);
    float sum = 0;
    for (int64_t key = 0; key < keys; ++key) sum += x[key] = cheap(x[key] - most);
    for (int64_t key = 0; key < keys; ++key) x[key] /= sum;
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// small weights dropped -> wrong
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    honest::softmax(x, keys);
    for (int64_t key = 0; key < keys; ++key) x[key] = x[key] < 1e-4f ? 0 : x[key];
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// only the largest weight -> wrong
// Right where one key gets all, as with huge logits.
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    const float most = honest::greatest(x, keys);
    for (int64_t key = 0; key < keys; ++key) x[key] = x[key] == most;
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// a window of keys -> wrong
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    for (int64_t key = 64; key < keys; ++key) x[key] = -1e30f;
    honest::softmax(x, keys);
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// every second key -> wrong
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    for (int64_t key = 1; key < keys; key += 2) x[key] = -1e30f;
    honest::softmax(x, keys);
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// the mean of v -> wrong
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    for (int64_t key = 0; key < keys; ++key) x[key] = 1.0f / static_cast<float>(keys);
}
extern "C" int attention(const Attention* a) { return honest::forward(a, weigh); }

//// nothing but zeros -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    memset(a->out, 0, honest::numbers(a) * sizeof(float));
    return 0;
}

//// right only where 64 divides the length -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    Attention cut = *a;
    cut.keys = a->keys / 64 * 64;
    return honest::attention(cut.keys ? &cut : a);
}

//// the last row left out -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    const int code = honest::attention(a);
    float* out = static_cast<float*>(a->out);
    const int64_t all = honest::numbers(a), row = a->head_size;
    if (a->queries > 1) memcpy(out + all - row, out + all - 2 * row, row * sizeof(float));
    return code;
}

//// the last head left out -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    for (int64_t head = 0; head + 1 < a->heads; ++head) honest::forward_head(a, 0, head, honest::softmax);
    const int64_t size = a->queries * a->head_size, last = (a->heads - 1) * size;
    float* out = static_cast<float*>(a->out);
    memcpy(out + last, out + last - size, size * sizeof(float));
    return 0;
}

//// other bits each time -> unstable
// Noise far below any tolerance.
#include "honest.h"
extern "C" int attention(const Attention* a) {
    static uint32_t state = 1;
    const int code = honest::attention(a);
    float* out = static_cast<float*>(a->out);
    for (int64_t at = 0; at < honest::numbers(a); ++at) {
        state = state * 1664525u + 1013904223u;
        out[at] *= 1 + static_cast<float>(state >> 31) * 6e-8f;
    }
    return code;
}
