// AES-128 in counter mode with the four large tables, computed at the start from the
// field GF(2^8): four table loads per column and round.
#include "bench.h"

static uint8_t box[256];
static uint32_t tables[4][256], keys[44];

static uint8_t twice(uint8_t x) { return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b); }

static uint8_t times(uint8_t a, uint8_t b) {
    uint8_t product = 0;
    for (; b; b >>= 1, a = twice(a))
        if (b & 1) product ^= a;
    return product;
}

static void prepare_tables(void) {
    for (int i = 0; i < 256; i++) {
        uint8_t inverse = 0;
        for (int j = 1; j < 256 && i; j++)
            if (times((uint8_t)i, (uint8_t)j) == 1) inverse = (uint8_t)j;
        uint8_t s = inverse;
        for (int k = 1; k < 5; k++) s ^= (uint8_t)(inverse << k | inverse >> (8 - k));
        s ^= 0x63;
        box[i] = s;
        uint32_t column = twice(s) | (uint32_t)s << 8 | (uint32_t)s << 16 |
                          (uint32_t)(twice(s) ^ s) << 24;
        for (int t = 0; t < 4; t++)
            tables[t][i] = t == 0 ? column : column << 8 * t | column >> (32 - 8 * t);
    }
}

static uint32_t substitute(uint32_t x) {
    return box[x & 255] | (uint32_t)box[x >> 8 & 255] << 8 | (uint32_t)box[x >> 16 & 255] << 16 |
           (uint32_t)box[x >> 24] << 24;
}

static void expand(const uint32_t key[4]) {
    uint8_t step = 1;
    memcpy(keys, key, 16);
    for (int i = 4; i < 44; i++) {
        uint32_t x = keys[i - 1];
        if (i % 4 == 0) {
            x = substitute(x >> 8 | x << 24) ^ step;
            step = twice(step);
        }
        keys[i] = keys[i - 4] ^ x;
    }
}

#define COLUMN(a, b, c, d, k) \
    (tables[0][a & 255] ^ tables[1][b >> 8 & 255] ^ tables[2][c >> 16 & 255] ^ tables[3][d >> 24] ^ k)
#define LAST(a, b, c, d, k)                                                        \
    ((box[a & 255] | (uint32_t)box[b >> 8 & 255] << 8 |                            \
      (uint32_t)box[c >> 16 & 255] << 16 | (uint32_t)box[d >> 24] << 24) ^ k)

static NOINLINE void encrypt(const uint32_t in[4], uint32_t out[4]) {
    const uint32_t *k = keys;
    uint32_t a = in[0] ^ k[0], b = in[1] ^ k[1], c = in[2] ^ k[2], d = in[3] ^ k[3];
    for (int round = 1; round < 10; round++) {
        k += 4;
        uint32_t w = COLUMN(a, b, c, d, k[0]), x = COLUMN(b, c, d, a, k[1]);
        uint32_t y = COLUMN(c, d, a, b, k[2]), z = COLUMN(d, a, b, c, k[3]);
        a = w; b = x; c = y; d = z;
    }
    k += 4;
    out[0] = LAST(a, b, c, d, k[0]);
    out[1] = LAST(b, c, d, a, k[1]);
    out[2] = LAST(c, d, a, b, k[2]);
    out[3] = LAST(d, a, b, c, k[3]);
}

int main(int argc, char **argv) {
    static uint32_t data[1 << 14];
    uint32_t key[4] = {1, 22, 333, 4444}, counter[4] = {0}, stream[4];
    prepare_tables();
    expand(key);
    for (uint32_t r = rounds_of(argc, argv, 1900); r > 0; r--)
        for (int at = 0; at < 1 << 14; at += 4) {
            counter[3]++;
            encrypt(counter, stream);
            for (int i = 0; i < 4; i++) data[at + i] ^= stream[i];
        }
    return report("aes", mix_bytes(0, data, sizeof data));
}
