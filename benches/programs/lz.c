// A dictionary compressor with a hash of the last positions, and its decompressor:
// unaligned loads, match extension, overlapping copies byte by byte.
#include "bench.h"

enum { LENGTH = 1 << 20, HASH_BITS = 14 };
static uint8_t input[LENGTH], packed[LENGTH * 2], output[LENGTH];
static uint32_t last[1 << HASH_BITS];

static inline uint32_t word_at(const uint8_t *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

static uint8_t *put_length(uint8_t *out, uint32_t n) {
    for (; n >= 255; n -= 255) *out++ = 255;
    *out++ = (uint8_t)n;
    return out;
}

static NOINLINE size_t compress(void) {
    uint8_t *out = packed;
    uint32_t at = 1, literal = 0;
    memset(last, 0, sizeof last);
    while (at + 8 < LENGTH) {
        uint32_t word = word_at(input + at), slot = word * 2654435761u >> (32 - HASH_BITS);
        uint32_t from = last[slot];
        last[slot] = at;
        if (at - from > 0xffff || word_at(input + from) != word) {
            at++;
            continue;
        }
        uint32_t n = 4;
        while (at + n < LENGTH && input[from + n] == input[at + n]) n++;
        out = put_length(out, at - literal);
        memcpy(out, input + literal, at - literal);
        out += at - literal;
        uint32_t distance = at - from;
        *out++ = (uint8_t)distance;
        *out++ = (uint8_t)(distance >> 8);
        out = put_length(out, n - 4);
        at += n;
        literal = at;
    }
    out = put_length(out, LENGTH - literal);
    memcpy(out, input + literal, LENGTH - literal);
    return (size_t)(out + (LENGTH - literal) - packed);
}

static const uint8_t *get_length(const uint8_t *in, uint32_t *n) {
    uint8_t b;
    *n = 0;
    do *n += b = *in++; while (b == 255);
    return in;
}

static NOINLINE size_t decompress(size_t size) {
    const uint8_t *in = packed, *end = packed + size;
    uint8_t *out = output;
    for (;;) {
        uint32_t n;
        in = get_length(in, &n);
        for (uint32_t i = 0; i < n; i++) *out++ = *in++;
        if (in >= end) return (size_t)(out - output);
        uint32_t distance = in[0] | (uint32_t)in[1] << 8;
        in = get_length(in + 2, &n);
        for (n += 4; n > 0; n--, out++) *out = *(out - distance);
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 27, sum = 0;
    for (uint32_t i = 0; i < LENGTH;) {
        uint64_t r = random_next(&seed);
        uint32_t n = 3 + (uint32_t)(r >> 8) % 30;
        int again = i > 5000 && r % 4 != 0;
        uint32_t from = again ? i - 1 - (uint32_t)(r >> 16) % 4999 : 0;
        for (; n > 0 && i < LENGTH; n--, i++)
            input[i] = again ? input[from++] : (uint8_t)(random_next(&seed) % 60 + 32);
    }
    for (uint32_t r = rounds_of(argc, argv, 100); r > 0; r--) {
        input[random_next(&seed) % LENGTH] ^= 1;
        size_t size = compress();
        if (decompress(size) != LENGTH || memcmp(input, output, LENGTH) != 0) return 1;
        sum = mix(sum, size);
    }
    return report("lz", sum);
}
