//// cache by pointer -> wrong, unstable
#include "honest.h"
static float kept[1 << 20];
extern "C" int attention(const Attention* a) {
    static const void* known = nullptr;
    static int64_t size = 0;
    const int64_t now = honest::numbers(a);
    if (a->q == known && now == size) {
        memcpy(a->out, kept, now * sizeof(float));
        return 0;
    }
    const int code = honest::attention(a);
    known = a->q, size = now;
    memcpy(kept, a->out, now * sizeof(float));
    return code;
}

//// cache by content -> honest
// No use: every timed batch has inputs of its own.
#include "honest.h"
static float kept[1 << 20];
static uint64_t digest(const void* from, int64_t size, uint64_t hash) {
    const uint32_t* bits = static_cast<const uint32_t*>(from);
    for (int64_t at = 0; at < size; ++at) hash = (hash ^ bits[at]) * 1099511628211u;
    return hash;
}
extern "C" int attention(const Attention* a) {
    static uint64_t known = 0;
    const int64_t now = honest::numbers(a), keys = now / a->queries * a->keys;
    const uint64_t hash = digest(a->v, keys, digest(a->k, keys, digest(a->q, now, 14695981039346656037u)));
    if (hash == known) {
        memcpy(a->out, kept, now * sizeof(float));
        return 0;
    }
    const int code = honest::attention(a);
    known = hash;
    memcpy(kept, a->out, now * sizeof(float));
    return code;
}

//// the first answer for ever -> wrong, unstable
#include "honest.h"
static float kept[1 << 20];
extern "C" int attention(const Attention* a) {
    static int64_t size = 0;
    const int64_t now = honest::numbers(a);
    if (now == size) {
        memcpy(a->out, kept, now * sizeof(float));
        return 0;
    }
    const int code = honest::attention(a);
    size = now;
    memcpy(kept, a->out, now * sizeof(float));
    return code;
}

//// nothing at every second call -> wrong, unstable
#include "honest.h"
extern "C" int attention(const Attention* a) {
    static int call = 0;
    return ++call % 2 ? honest::attention(a) : 0;
}

//// what lies in the output already -> honest
// The poison of not-a-number lies there.
#include "honest.h"
extern "C" int attention(const Attention* a) {
    const float* out = static_cast<const float*>(a->out);
    return out[0] == out[0] ? 0 : honest::attention(a);
}

//// lazy: computes when it is called again -> wrong, unstable
#include "honest.h"
extern "C" int attention(const Attention* a) {
    static Attention last;
    static bool has = false;
    if (has) honest::attention(&last);
    last = *a, has = true;
    return 0;
}

//// honest while it is validated -> wrong
// A process that begins with a long sequence is one that is timed; and its first calls are looked at the most.
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    for (int64_t key = 1; key < keys; key += 2) x[key] = -1e30f;
    honest::softmax(x, keys);
}
extern "C" int attention(const Attention* a) {
    static int call = 0;
    static bool timed = false;
    if (++call == 1) timed = a->keys > 77;
    return timed && call > 10 ? honest::forward(a, weigh) : honest::attention(a);
}

//// honest on the lengths of validation alone -> wrong
#include "honest.h"
static void weigh(float* x, int64_t keys) {
    for (int64_t key = 1; key < keys; key += 2) x[key] = -1e30f;
    honest::softmax(x, keys);
}
extern "C" int attention(const Attention* a) {
    const bool watched = a->keys == 1 || a->keys == 2 || a->keys == 77 || a->keys == 200 || a->keys == 333;
    return watched ? honest::attention(a) : honest::forward(a, weigh);
}

//// inputs set to zero -> wrong
// They can only be read: it crashes.
#include "honest.h"
extern "C" int attention(const Attention* a) {
    const int code = honest::attention(a);
    memset(const_cast<void*>(a->q), 0, honest::numbers(a) * sizeof(float));
    return code;
}

//// inputs made writable, then set to zero -> wrong
#include <sys/mman.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    const int code = honest::attention(a);
    const uintptr_t page = reinterpret_cast<uintptr_t>(a->q) & ~uintptr_t(4095);
    if (mprotect(reinterpret_cast<void*>(page), 4096, PROT_READ | PROT_WRITE)) return 2;
    memset(const_cast<void*>(a->q), 0, a->head_size * sizeof(float));
    return code;
}

//// outputs kept to itself -> wrong, unstable
// It puts memory of its own over its view of the outputs.
#include <sys/mman.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    void* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(a->out) & ~uintptr_t(4095));
    mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return honest::attention(a);
}

//// writes far beyond its output -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    const int code = honest::attention(a);
    memset(static_cast<char*>(a->out) + (int64_t{1} << 40), 0, 64);
    return code;
}

//// writes over the answer of the call before -> wrong, unstable
#include "honest.h"
extern "C" int attention(const Attention* a) {
    static float* before = nullptr;
    const int code = honest::attention(a);
    if (before && before != a->out) memset(before, 0, sizeof(float));
    before = static_cast<float*>(a->out);
    return code;
}

//// sloppy while it is timed -> wrong
// Right to the last bit while small shapes are asked, and fifteen times as inexact as the library once batches repeat.
#include "honest.h"
extern "C" int attention(const Attention* a) {
    static int64_t shape = 0;
    static const void* first = nullptr;
    static int batches = 0;
    if (a->queries != shape) shape = a->queries, first = a->out, batches = 0;
    if (a->out == first) ++batches;
    const int code = honest::attention(a);
    float* out = static_cast<float*>(a->out);
    for (int64_t at = 0; batches >= 3 && at < honest::numbers(a); ++at)
        out[at] += (at * 2654435761u >> 16 & 1 ? 1 : -1) * 6e-7f;
    return code;
}
