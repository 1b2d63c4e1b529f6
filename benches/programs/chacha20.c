// The ChaCha20 stream: sixteen live 32-bit words, quarter rounds, one block at a time.
#include "bench.h"

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static inline void quarter(uint32_t *x, int a, int b, int c, int d) {
    x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 7);
}

static NOINLINE void block(const uint32_t key[16], uint8_t *data) {
    uint32_t x[16];
    memcpy(x, key, sizeof x);
    for (int i = 0; i < 10; i++) {
        quarter(x, 0, 4, 8, 12);
        quarter(x, 1, 5, 9, 13);
        quarter(x, 2, 6, 10, 14);
        quarter(x, 3, 7, 11, 15);
        quarter(x, 0, 5, 10, 15);
        quarter(x, 1, 6, 11, 12);
        quarter(x, 2, 7, 8, 13);
        quarter(x, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++) {
        uint32_t word;
        memcpy(&word, data + 4 * i, 4);
        word ^= x[i] + key[i];
        memcpy(data + 4 * i, &word, 4);
    }
}

int main(int argc, char **argv) {
    static uint8_t data[1 << 16];
    uint32_t key[16];
    uint64_t seed = 15;
    for (int i = 0; i < 16; i++) key[i] = (uint32_t)random_next(&seed);
    for (uint32_t r = rounds_of(argc, argv, 4000); r > 0; r--)
        for (size_t at = 0; at < sizeof data; at += 64) {
            key[12]++;
            block(key, data + at);
        }
    return report("chacha20", mix_bytes(0, data, sizeof data));
}
