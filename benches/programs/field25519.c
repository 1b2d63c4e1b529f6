// Arithmetic modulo 2^255 - 19 in five limbs of 51 bits, the heart of elliptic-curve
// signatures: 25 products of 64 by 64 bits per multiplication, and a Montgomery ladder.
#include "bench.h"

typedef unsigned __int128 wide;
typedef struct { uint64_t v[5]; } field;
static const uint64_t MASK = (1ull << 51) - 1;

static inline field carry(wide a, wide b, wide c, wide d, wide e) {
    field r;
    b += (uint64_t)(a >> 51);
    c += (uint64_t)(b >> 51);
    d += (uint64_t)(c >> 51);
    e += (uint64_t)(d >> 51);
    uint64_t low = ((uint64_t)a & MASK) + 19 * (uint64_t)(e >> 51);
    r.v[0] = low & MASK;
    r.v[1] = ((uint64_t)b & MASK) + (low >> 51);
    r.v[2] = (uint64_t)c & MASK;
    r.v[3] = (uint64_t)d & MASK;
    r.v[4] = (uint64_t)e & MASK;
    return r;
}

static NOINLINE field multiply(const field *x, const field *y) {
    uint64_t a = x->v[0], b = x->v[1], c = x->v[2], d = x->v[3], e = x->v[4];
    const uint64_t *q = y->v;
    uint64_t q1 = q[1] * 19, q2 = q[2] * 19, q3 = q[3] * 19, q4 = q[4] * 19;
#define P(m, n) ((wide)(m) * (n))
    return carry(P(a, q[0]) + P(b, q4) + P(c, q3) + P(d, q2) + P(e, q1),
                 P(a, q[1]) + P(b, q[0]) + P(c, q4) + P(d, q3) + P(e, q2),
                 P(a, q[2]) + P(b, q[1]) + P(c, q[0]) + P(d, q4) + P(e, q3),
                 P(a, q[3]) + P(b, q[2]) + P(c, q[1]) + P(d, q[0]) + P(e, q4),
                 P(a, q[4]) + P(b, q[3]) + P(c, q[2]) + P(d, q[1]) + P(e, q[0]));
#undef P
}

static field add(const field *x, const field *y) {
    field r;
    for (int i = 0; i < 5; i++) r.v[i] = x->v[i] + y->v[i];
    return r;
}

// Adds four times the prime first, so that no limb goes below zero.
static field subtract(const field *x, const field *y) {
    field r;
    r.v[0] = x->v[0] + 4 * (MASK - 18) - y->v[0];
    for (int i = 1; i < 5; i++) r.v[i] = x->v[i] + 4 * MASK - y->v[i];
    return r;
}

static void swap_if(uint64_t bit, field *x, field *y) {
    for (int i = 0; i < 5; i++) {
        uint64_t t = (x->v[i] ^ y->v[i]) & (0 - bit);
        x->v[i] ^= t;
        y->v[i] ^= t;
    }
}

static NOINLINE void ladder(const uint64_t scalar[4], const field *base, field *x, field *z) {
    field x2 = {{1}}, z2 = {{0}}, x3 = *base, z3 = {{1}}, factor = {{121665}};
    for (int at = 254; at >= 0; at--) {
        uint64_t bit = scalar[at / 64] >> (at % 64) & 1;
        swap_if(bit, &x2, &x3);
        swap_if(bit, &z2, &z3);
        field a = add(&x2, &z2), b = subtract(&x2, &z2);
        field c = add(&x3, &z3), d = subtract(&x3, &z3);
        field da = multiply(&d, &a), cb = multiply(&c, &b);
        field aa = multiply(&a, &a), bb = multiply(&b, &b), e = subtract(&aa, &bb);
        field t = add(&da, &cb), u = subtract(&da, &cb);
        x3 = multiply(&t, &t);
        u = multiply(&u, &u);
        z3 = multiply(&u, base);
        x2 = multiply(&aa, &bb);
        t = multiply(&factor, &e);
        t = add(&aa, &t);
        z2 = multiply(&e, &t);
        swap_if(bit, &x2, &x3);
        swap_if(bit, &z2, &z3);
    }
    *x = x2;
    *z = z2;
}

int main(int argc, char **argv) {
    field base = {{9}}, x, z;
    uint64_t scalar[4], seed = 18, sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 4000); r > 0; r--) {
        for (int i = 0; i < 4; i++) scalar[i] = random_next(&seed);
        ladder(scalar, &base, &x, &z);
        base = multiply(&x, &z);
        for (int i = 0; i < 5; i++) sum = mix(sum, base.v[i]);
    }
    return report("field25519", sum);
}
