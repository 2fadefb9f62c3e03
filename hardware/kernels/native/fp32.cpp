// Attention in fp32, forward and backward, for any vector width: scores are kept transposed, a row for a key and a lane
// for a query, so that the softmax needs no sums across lanes, and K and V are used where they lie.
//
// One panel of queries (a few vectors wide) stays in the first-level cache, while keys and values pass by in blocks.
#include "backward.h"
#include "stream.h"

namespace {

void forward_head(const Plan& plan, int64_t batch, int64_t head) {
    const Attention& a = plan.a;
    const int64_t at = batch * a.heads + head;
    const bool few = a.queries <= FEW_QUERIES && a.keys >= MANY_KEYS, copy = plan.copy && !few;
    const Rows q = rows_of_head(a, a.q, a.q_strides, batch, head, a.queries, false, Q);
    const Rows k = rows_of_head(a, a.k, a.k_strides, batch, head, a.keys, copy, K);
    const Rows v = rows_of_head(a, a.v, a.v_strides, batch, head, a.keys, copy, V);
    char* to = (char*)a.out + at * a.queries * a.head_size * bytes_of(a.dtype);
    const Results out = results_of_head(a, to, a.queries, OUT);
    (few ? forward_stream : forward_panels)(plan, q, k, v, out, a.lse + at * a.queries);
    deliver(a, out, to, a.queries);
}

}  // namespace

extern "C" int attention(const Attention* a) {
    const Plan plan(*a);
    if (!plan.possible()) return 1;
    try {
        const Flush flush;
        for (int64_t batch = 0; batch < a->batch; ++batch)
            for (int64_t head = 0; head < a->heads; ++head)
                (a->backward ? backward_head : forward_head)(plan, batch, head);
    } catch (const std::bad_alloc&) {
        return 2;
    }
    return 0;
}
