// Modular exponentiation of 2048-bit numbers: Montgomery multiplication over 32 words
// of 64 bits, a fixed window of four bits.
#include "bench.h"

enum { WORDS = 32 };
typedef unsigned __int128 wide;
typedef uint64_t number[WORDS];

static uint64_t inverse_of(uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 6; i++) x *= 2 - odd * x;
    return 0 - x;
}

static void reduce_once(number out, const uint64_t *in, uint64_t top, const number m) {
    number difference;
    uint64_t borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        wide d = (wide)in[i] - m[i] - borrow;
        difference[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    const uint64_t *from = top >= borrow ? difference : in;
    memmove(out, from, sizeof(number));
}

static NOINLINE void montgomery(number out, const number a, const number b, const number m,
                                uint64_t inverse) {
    uint64_t t[WORDS + 2] = {0};
    for (int i = 0; i < WORDS; i++) {
        uint64_t high = 0;
        for (int j = 0; j < WORDS; j++) {
            wide x = (wide)a[i] * b[j] + t[j] + high;
            t[j] = (uint64_t)x;
            high = (uint64_t)(x >> 64);
        }
        wide top = (wide)t[WORDS] + high;
        t[WORDS] = (uint64_t)top;
        t[WORDS + 1] = (uint64_t)(top >> 64);
        uint64_t q = t[0] * inverse;
        wide x = (wide)q * m[0] + t[0];
        high = (uint64_t)(x >> 64);
        for (int j = 1; j < WORDS; j++) {
            x = (wide)q * m[j] + t[j] + high;
            t[j - 1] = (uint64_t)x;
            high = (uint64_t)(x >> 64);
        }
        top = (wide)t[WORDS] + high;
        t[WORDS - 1] = (uint64_t)top;
        t[WORDS] = t[WORDS + 1] + (uint64_t)(top >> 64);
    }
    reduce_once(out, t, t[WORDS], m);
}

static void power(number out, const number base, const number exponent, const number m) {
    static number powers[16];
    uint64_t inverse = inverse_of(m[0]);
    number one = {1};
    // R mod m by doubling, then R·base by doubling 2048 times more.
    reduce_once(one, one, 0, m);
    number x;
    memcpy(x, one, sizeof x);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < WORDS * 64; i++) {
            uint64_t top = 0;
            for (int j = 0; j < WORDS; j++) {
                uint64_t next = x[j] >> 63;
                x[j] = x[j] << 1 | top;
                top = next;
            }
            reduce_once(x, x, top, m);
        }
        memcpy(pass == 0 ? powers[0] : powers[2], x, sizeof x);
    }
    montgomery(powers[1], base, powers[2], m, inverse);
    for (int i = 2; i < 16; i++) montgomery(powers[i], powers[i - 1], powers[1], m, inverse);
    memcpy(x, powers[0], sizeof x);
    for (int nibble = WORDS * 16 - 1; nibble >= 0; nibble--) {
        for (int i = 0; i < 4; i++) montgomery(x, x, x, m, inverse);
        uint64_t digit = exponent[nibble / 16] >> (nibble % 16 * 4) & 15;
        montgomery(x, x, powers[digit], m, inverse);
    }
    montgomery(out, x, one, m, inverse);
}

int main(int argc, char **argv) {
    number base, exponent, modulus;
    uint64_t seed = 19, sum = 0;
    for (int i = 0; i < WORDS; i++) {
        base[i] = random_next(&seed);
        exponent[i] = random_next(&seed);
        modulus[i] = random_next(&seed);
    }
    modulus[0] |= 1;
    modulus[WORDS - 1] |= 1ull << 63;
    base[WORDS - 1] >>= 1;
    for (uint32_t r = rounds_of(argc, argv, 40); r > 0; r--) {
        power(base, base, exponent, modulus);
        for (int i = 0; i < WORDS; i++) sum = mix(sum, base[i]);
    }
    return report("modexp", sum);
}
