// Powers of two of scores as bf16, by one of six methods: a table of 128 steps, or polynomials of degree 1 to 5.
#pragma once
#include "amx_tile.h"

namespace amx {

// 2^f on [0, 1) with the least relative error for the degree; row n holds degree n, constant first.
alignas(64) static const float POLYNOMIALS[6][6] = {
    {1.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f},
    {0.970178797f, 0.970178797f, 0.0f, 0.0f, 0.0f, 0.0f},
    {1.00172476f, 0.657636261f, 0.337189456f, 0.0f, 0.0f, 0.0f},
    {0.999925219f, 0.69583354f, 0.226067158f, 0.0780245206f, 0.0f, 0.0f},
    {1.00000259f, 0.693003834f, 0.241442757f, 0.0520114591f, 0.0135341691f, 0.0f},
    {0.999999925f, 0.693153072f, 0.240153625f, 0.0558262971f, 0.00898936231f, 0.00187756888f},
};

// The seven bits of mantissa of 2^(i/128), rounded.
struct Table {
    alignas(64) uint8_t bits[128];
    Table() {
        for (int i = 0; i < 128; i++) {
            bits[i] = static_cast<uint8_t>(least(127, std::lround(128 * (std::exp2(i / 128.0) - 1))));
        }
    }
};

// Turns scores into probabilities: p = 2^(score * scale + bias). METHOD 0 is the table, else the degree.
//
// The table: 128 (score * scale + bias + 127), rounded to a whole number, is a bf16 whose exponent is right and whose
// mantissa is the fraction itself; one look-up of bytes replaces that by the mantissa of the power. It errs by at most
// half a step, 0.27%, beside the 0.2% of rounding to bf16. Two vectors of scores leave in Order LANES.
// The polynomials leave in Order NATURAL.
template <int METHOD>
struct Power {
    __m512i low, high, mantissa;
    __m512 c[6];

    Power() {
        static const Table table;
        low = _mm512_load_si512(table.bits);
        high = _mm512_load_si512(table.bits + 64);
        mantissa = _mm512_set1_epi16(0x7F);
        for (int i = 0; i < 6; i++) c[i] = _mm512_set1_ps(POLYNOMIALS[METHOD][i]);
    }

    // What scale and bias, both in powers of two, are to be handed on as.
    static MEMBER float scale(float x) { return METHOD ? x : 128 * x; }
    static MEMBER __m512 bias(__m512 x) {
        return METHOD ? x : _mm512_fmadd_ps(_mm512_set1_ps(128), x, _mm512_set1_ps(128 * 127));
    }

    // bf16 of 32 scores; those outside the masks are 0.
    template <bool MASKED>
    MEMBER __m512i two(__m512 a, __m512 b, __m512 scale, __m512 bias_a, __m512 bias_b, __mmask16 in_a,
                              __mmask16 in_b) const {
        a = _mm512_fmadd_ps(a, scale, bias_a);
        b = _mm512_fmadd_ps(b, scale, bias_b);
        if constexpr (METHOD == 0) {
            __m512i x = MASKED ? _mm512_maskz_cvtps_epi32(in_a, a) : _mm512_cvtps_epi32(a);
            __m512i y = MASKED ? _mm512_maskz_cvtps_epi32(in_b, b) : _mm512_cvtps_epi32(b);
            x = _mm512_packus_epi32(x, y);
            y = _mm512_permutex2var_epi8(low, x, high);
            return _mm512_ternarylogic_epi32(x, y, mantissa, 0xD8);  // the bits of y where the mantissa is
        } else {
            a = polynomial(a), b = polynomial(b);
            if (MASKED) a = _mm512_maskz_mov_ps(in_a, a), b = _mm512_maskz_mov_ps(in_b, b);
            return (__m512i)_mm512_cvtne2ps_pbh(b, a);
        }
    }

    // The same, and the two vectors as floats.
    template <bool MASKED>
    MEMBER __m512i wide(__m512& a, __m512& b, __m512 scale, __m512 bias_a, __m512 bias_b, __mmask16 in_a,
                        __mmask16 in_b) const {
        if constexpr (METHOD == 0) {
            __m512i p = two<MASKED>(a, b, scale, bias_a, bias_b, in_a, in_b);
            a = _mm512_castsi512_ps(_mm512_unpacklo_epi16(_mm512_setzero_si512(), p));
            b = _mm512_castsi512_ps(_mm512_unpackhi_epi16(_mm512_setzero_si512(), p));
            return p;
        } else {
            a = polynomial(_mm512_fmadd_ps(a, scale, bias_a)), b = polynomial(_mm512_fmadd_ps(b, scale, bias_b));
            if (MASKED) a = _mm512_maskz_mov_ps(in_a, a), b = _mm512_maskz_mov_ps(in_b, b);
            return (__m512i)_mm512_cvtne2ps_pbh(b, a);
        }
    }

    MEMBER __m512 polynomial(__m512 x) const {
        __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        __m512 p = c[METHOD];
        for (int i = METHOD - 1; i >= 0; i--) p = _mm512_fmadd_ps(p, f, c[i]);
        return _mm512_scalef_ps(p, x);
    }
};

}  // namespace amx
