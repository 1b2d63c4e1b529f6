// SHA-256: unrolled by the compiler or not, 64 rounds of rotations and additions.
#include "bench.h"

static uint32_t constants[64];

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

// The constants are the fractions of cube roots of the first primes, in integers only.
static void prepare(void) {
    int found = 0;
    for (uint32_t p = 2; found < 64; p++) {
        int prime = 1;
        for (uint32_t d = 2; d * d <= p; d++) prime &= p % d != 0;
        if (!prime) continue;
        // The largest x with x³ ≤ p · 2^96, kept below 2^36.
        unsigned __int128 x = 0;
        for (int bit = 35; bit >= 0; bit--) {
            unsigned __int128 y = x | (unsigned __int128)1 << bit;
            if (y * y * y <= (unsigned __int128)p << 96) x = y;
        }
        constants[found++] = (uint32_t)x;
    }
}

static NOINLINE void compress(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +
                     constants[i] + w[i];
        uint32_t u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                     ((a & b) ^ (a & c) ^ (b & c));
        h = g; g = f; f = e; e = d + t;
        d = c; c = b; b = a; a = t + u;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

int main(int argc, char **argv) {
    static uint8_t data[1 << 16];
    uint32_t state[8];
    uint64_t seed = 14, sum = 0;
    prepare();
    for (int i = 0; i < 8; i++) state[i] = (uint32_t)random_next(&seed);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)random_next(&seed);
    for (uint32_t r = rounds_of(argc, argv, 1800); r > 0; r--)
        for (size_t at = 0; at < sizeof data; at += 64) compress(state, data + at);
    for (int i = 0; i < 8; i++) sum = mix(sum, state[i]);
    return report("sha256", mix(sum, constants[63]));
}
