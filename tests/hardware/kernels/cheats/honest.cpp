//// plain C++ -> passed
// Nothing to hide.
#include "honest.h"
extern "C" int attention(const Attention* a) { return honest::attention(a); }

//// backward: gradients -> passed
#include "honest.h"
extern "C" int attention(const Attention* a) { return honest::attention(a); }

//// backward: only the gradient of v -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    const int code = honest::attention(a);
    if (a->backward) memset(a->dk, 0, a->batch * a->heads * a->keys * a->head_size * sizeof(float));
    return code;
}

//// backward: no gradient at all -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) { return a->backward ? 0 : honest::attention(a); }

//// backward: the gradients of the call before -> wrong, unstable
// The forward pass of the next call already knows what the last backward pass gave.
#include "honest.h"
static float kept[1 << 22];
extern "C" int attention(const Attention* a) {
    const int64_t bytes = honest::numbers(a) * sizeof(float);
    if (!a->backward) return honest::attention(a);
    static bool has = false;
    if (has) {
        memcpy(a->dq, kept, bytes);
        memset(a->dk, 0, bytes);
        memset(a->dv, 0, bytes);
        return 0;
    }
    has = true;
    const int code = honest::attention(a);
    memcpy(kept, a->dq, bytes);
    return code;
}

//// causal: plain C++ -> passed
#include "honest.h"
extern "C" int attention(const Attention* a) { return honest::attention(a); }

//// causal: no mask -> wrong
#include "honest.h"
extern "C" int attention(const Attention* a) {
    Attention open = *a;
    open.causal = 0;
    return honest::attention(&open);
}
