// Base64 there and back, by tables, three bytes at a time.
#include "bench.h"

enum { LENGTH = 3 << 16 };
static uint8_t data[LENGTH], text[LENGTH / 3 * 4], back[LENGTH];
static uint8_t values[256];
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static NOINLINE void encode(const uint8_t *from, size_t length, uint8_t *to) {
    for (size_t i = 0; i < length; i += 3, to += 4) {
        uint32_t x = (uint32_t)from[i] << 16 | from[i + 1] << 8 | from[i + 2];
        to[0] = (uint8_t)letters[x >> 18];
        to[1] = (uint8_t)letters[x >> 12 & 63];
        to[2] = (uint8_t)letters[x >> 6 & 63];
        to[3] = (uint8_t)letters[x & 63];
    }
}

static NOINLINE uint32_t decode(const uint8_t *from, size_t length, uint8_t *to) {
    uint32_t bad = 0;
    for (size_t i = 0; i < length; i += 4, to += 3) {
        uint8_t a = values[from[i]], b = values[from[i + 1]], c = values[from[i + 2]],
                d = values[from[i + 3]];
        bad |= (a | b | c | d) & 0x80;
        uint32_t x = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
        to[0] = (uint8_t)(x >> 16);
        to[1] = (uint8_t)(x >> 8);
        to[2] = (uint8_t)x;
    }
    return bad;
}

int main(int argc, char **argv) {
    uint64_t seed = 25, sum = 0;
    memset(values, 0x80, sizeof values);
    for (int i = 0; i < 64; i++) values[(uint8_t)letters[i]] = (uint8_t)i;
    for (int i = 0; i < LENGTH; i++) data[i] = (uint8_t)random_next(&seed);
    for (uint32_t r = rounds_of(argc, argv, 2000); r > 0; r--) {
        data[r % LENGTH] ^= (uint8_t)r;
        encode(data, LENGTH, text);
        sum = mix(sum, decode(text, sizeof text, back));
        sum = mix(sum, back[r * 31 % LENGTH]);
    }
    return report("base64", mix_bytes(sum, back, LENGTH));
}
