// One call of attention, as every compiled candidate gets it; its twin in Python is hardware/kernels/abi.py.
//
// A candidate is a shared object with one symbol:  extern "C" int attention(const Attention* a);
// It returns 0, or any other number if it cannot do what is asked. With backward = 0 it reads q, k, v and writes out and
// lse (natural log of the softmax denominator of each row: max + log of the sum, in whatever form its own backward
// pass wants it; float, batch x heads x queries). With backward = 1 it reads q, k, v, out, lse, dout and writes dq, dk, dv.
// Numbers: dtype 0 = fp32, 1 = bf16, 2 = fp16; the last dimension is contiguous, the other strides are given in numbers.
// Outputs are contiguous. With causal, query i sees key j if j - keys <= i - queries; a row that sees no key is 0.
#pragma once
#include <cstdint>

struct Attention {
    int64_t batch, heads, queries, keys, head_size;
    int64_t dtype, causal, backward;
    int64_t q_strides[3], k_strides[3], v_strides[3], dout_strides[3];  // of batch, head, row
    int64_t parameters[16];  // of a template, in the order of its space; 0 for foreign source
    const void *q, *k, *v, *dout;
    void* out;
    float* lse;
    void *dq, *dk, *dv;
};
