// The Keccak permutation on 25 words of 64 bits, fully unrolled: more live values than
// registers, so the spills of the compiler show.
#include "bench.h"

static uint64_t constants[24];
static const uint8_t turns[5][5] = {{0, 1, 62, 28, 27},
                                    {36, 44, 6, 55, 20},
                                    {3, 10, 43, 25, 39},
                                    {41, 45, 15, 21, 8},
                                    {18, 2, 61, 56, 14}};

static inline uint64_t rotate(uint64_t x, int n) { return n == 0 ? x : x << n | x >> (64 - n); }

// Round constants from the degree-8 shift register of the specification.
static void prepare(void) {
    uint8_t state = 1;
    for (int round = 0; round < 24; round++)
        for (int j = 0; j <= 6; j++) {
            if (state & 1) constants[round] |= 1ull << ((1 << j) - 1);
            state = (uint8_t)(state << 1 ^ (state >> 7) * 0x71);
        }
}

static NOINLINE void permute(uint64_t state[25]) {
    uint64_t a[25], b[25], c[5];
    memcpy(a, state, sizeof a);
    for (int round = 0; round < 24; round++) {
#pragma unroll
        for (int x = 0; x < 5; x++) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
#pragma unroll
        for (int x = 0; x < 5; x++) {
            uint64_t d = c[(x + 4) % 5] ^ rotate(c[(x + 1) % 5], 1);
#pragma unroll
            for (int y = 0; y < 5; y++)
                b[(2 * x + 3 * y) % 5 * 5 + y] = rotate(a[5 * y + x] ^ d, turns[y][x]);
        }
#pragma unroll
        for (int y = 0; y < 5; y++)
#pragma unroll
            for (int x = 0; x < 5; x++)
                a[5 * y + x] = b[5 * y + x] ^ (~b[5 * y + (x + 1) % 5] & b[5 * y + (x + 2) % 5]);
        a[0] ^= constants[round];
    }
    memcpy(state, a, sizeof a);
}

int main(int argc, char **argv) {
    uint64_t state[25] = {1}, sum = 0;
    prepare();
    for (uint32_t r = rounds_of(argc, argv, 1300000); r > 0; r--) permute(state);
    for (int i = 0; i < 25; i++) sum = mix(sum, state[i]);
    return report("keccak", sum);
}
