// A plain kernel: right, in fp32 alone, in no hurry. Most cheats are written around it. Few headers, so that it builds
// in no time.
#include <stdlib.h>
#include <string.h>

#include "attention.h"

namespace honest {

constexpr int64_t LONGEST = 1 << 14;

struct Rows {  // one (batch, head) of an input
    const float* first;
    int64_t stride;
    const float* operator[](int64_t row) const { return first + row * stride; }
};

inline Rows rows(const void* base, const int64_t* strides, int64_t batch, int64_t head) {
    return {static_cast<const float*>(base) + batch * strides[0] + head * strides[1], strides[2]};
}

inline float* head_of(const Attention* a, void* base, int64_t rows, int64_t batch, int64_t head) {
    return static_cast<float*>(base) + (batch * a->heads + head) * rows * a->head_size;
}

inline float dot(const float* x, const float* y, int64_t size) {
    float sum[16] = {};
    int64_t at = 0;
    for (; at + 16 <= size; at += 16)
        for (int lane = 0; lane < 16; ++lane) sum[lane] += x[at + lane] * y[at + lane];
    for (; at < size; ++at) sum[0] += x[at] * y[at];
    for (int width = 8; width; width /= 2)
        for (int lane = 0; lane < width; ++lane) sum[lane] += sum[lane + width];
    return sum[0];
}

inline void add(float* to, float weight, const float* x, int64_t size) {
    for (int64_t at = 0; at < size; ++at) to[at] += weight * x[at];
}

inline int64_t seen(const Attention* a, int64_t query) {  // how many keys
    const int64_t last = query + 1 + a->keys - a->queries;
    return !a->causal || last > a->keys ? a->keys : last < 0 ? 0 : last;
}

inline float greatest(const float* x, int64_t size) {
    float most = -__builtin_inff();
    for (int64_t at = 0; at < size; ++at) most = x[at] > most ? x[at] : most;
    return most;
}

// Turns logits into weights in place.
inline void softmax(float* x, int64_t keys) {
    const float most = greatest(x, keys);
    float sum = 0;
    for (int64_t key = 0; key < keys; ++key) sum += x[key] = __builtin_expf(x[key] - most);
    for (int64_t key = 0; key < keys; ++key) x[key] /= sum;
}

template <class Weigh>
void weights_of(const Attention* a, const float* query, Rows k, int64_t keys, Weigh weigh, float* to) {
    const float scale = 1 / __builtin_sqrtf(static_cast<float>(a->head_size));
    for (int64_t key = 0; key < keys; ++key) to[key] = scale * dot(query, k[key], a->head_size);
    weigh(to, keys);
}

template <class Weigh>
void forward_head(const Attention* a, int64_t batch, int64_t head, Weigh weigh) {
    static float weights[LONGEST];
    const int64_t size = a->head_size;
    const Rows q = rows(a->q, a->q_strides, batch, head), k = rows(a->k, a->k_strides, batch, head),
               v = rows(a->v, a->v_strides, batch, head);
    float* out = head_of(a, a->out, a->queries, batch, head);
    for (int64_t query = 0; query < a->queries; ++query) {
        const int64_t keys = seen(a, query);
        weights_of(a, q[query], k, keys, weigh, weights);
        memset(out + query * size, 0, size * sizeof(float));
        for (int64_t key = 0; key < keys; ++key) add(out + query * size, weights[key], v[key], size);
    }
}

inline void backward_head(const Attention* a, int64_t batch, int64_t head) {
    static float weights[LONGEST];
    const int64_t size = a->head_size;
    const float scale = 1 / __builtin_sqrtf(static_cast<float>(size));
    const Rows q = rows(a->q, a->q_strides, batch, head), k = rows(a->k, a->k_strides, batch, head),
               v = rows(a->v, a->v_strides, batch, head), dout = rows(a->dout, a->dout_strides, batch, head);
    const float* out = head_of(a, a->out, a->queries, batch, head);
    float *dq = head_of(a, a->dq, a->queries, batch, head), *dk = head_of(a, a->dk, a->keys, batch, head),
          *dv = head_of(a, a->dv, a->keys, batch, head);
    memset(dq, 0, a->queries * size * sizeof(float));
    memset(dk, 0, a->keys * size * sizeof(float));
    memset(dv, 0, a->keys * size * sizeof(float));
    for (int64_t query = 0; query < a->queries; ++query) {
        const int64_t keys = seen(a, query);
        weights_of(a, q[query], k, keys, softmax, weights);
        const float mean = dot(dout[query], out + query * size, size);
        for (int64_t key = 0; key < keys; ++key) {
            const float slope = scale * weights[key] * (dot(dout[query], v[key], size) - mean);
            add(dq + query * size, slope, k[key], size);
            add(dk + key * size, slope, q[query], size);
            add(dv + key * size, weights[key], dout[query], size);
        }
    }
}

inline bool possible(const Attention* a) { return a->dtype == 0 && a->keys <= LONGEST; }

template <class Weigh>
int forward(const Attention* a, Weigh weigh) {
    if (!possible(a)) return 1;
    for (int64_t batch = 0; batch < a->batch; ++batch)
        for (int64_t head = 0; head < a->heads; ++head) forward_head(a, batch, head, weigh);
    return 0;
}

inline int attention(const Attention* a) {
    if (!a->backward) return forward(a, softmax);
    if (!possible(a)) return 1;
    for (int64_t batch = 0; batch < a->batch; ++batch)
        for (int64_t head = 0; head < a->heads; ++head) backward_head(a, batch, head);
    return 0;
}

inline int64_t numbers(const Attention* a) { return a->batch * a->heads * a->queries * a->head_size; }

}  // namespace honest
