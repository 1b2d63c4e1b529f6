// Validating UTF-8 and decoding it to code points: short unpredictable branches per byte.
#include "bench.h"

enum { LENGTH = 1 << 20 };
static uint8_t text[LENGTH + 8];
static uint32_t size;

// The number of bytes of the character at `p`, or 0 when it is not valid.
static inline uint32_t decode(const uint8_t *p, const uint8_t *end, uint32_t *out) {
    uint32_t c = p[0];
    if (c < 0x80) return *out = c, 1;
    if (c < 0xc2) return 0;
    if (c < 0xe0) {
        if (end - p < 2 || (p[1] & 0xc0) != 0x80) return 0;
        return *out = (c & 31) << 6 | (p[1] & 63), 2;
    }
    if (c < 0xf0) {
        if (end - p < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80) return 0;
        uint32_t x = (c & 15) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
        if (x < 0x800 || (x >= 0xd800 && x < 0xe000)) return 0;
        return *out = x, 3;
    }
    if (c > 0xf4 || end - p < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
        (p[3] & 0xc0) != 0x80)
        return 0;
    uint32_t x = (c & 7) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
    if (x < 0x10000 || x > 0x10ffff) return 0;
    return *out = x, 4;
}

static NOINLINE uint64_t scan(uint64_t sum) {
    const uint8_t *p = text, *end = text + size;
    uint32_t count = 0, wide = 0, x = 0, total = 0;
    while (p < end) {
        uint32_t n = decode(p, end, &x);
        if (n == 0) {
            x = 0xfffd;
            n = 1;
        }
        count++;
        wide += n > 2;
        total += x;
        p += n;
    }
    return mix(sum, (uint64_t)count << 32 | (total ^ wide));
}

static uint32_t encode(uint8_t *p, uint32_t x) {
    if (x < 0x80) return p[0] = (uint8_t)x, 1;
    uint32_t n = x < 0x800 ? 2 : x < 0x10000 ? 3 : 4;
    for (uint32_t i = n - 1; i > 0; i--, x >>= 6) p[i] = (uint8_t)(0x80 | (x & 63));
    p[0] = (uint8_t)((0xf00u >> n) | x);
    return n;
}

int main(int argc, char **argv) {
    uint64_t seed = 24, sum = 0;
    while (size < LENGTH - 4) {
        uint64_t r = random_next(&seed);
        uint32_t limit = (r & 7) < 5 ? 0x7f : (r & 7) < 6 ? 0x7ff : (r & 7) < 7 ? 0xd7ff : 0x1ffff;
        size += encode(text + size, (uint32_t)(r >> 32) % limit);
    }
    for (uint32_t r = rounds_of(argc, argv, 90); r > 0; r--) {
        text[random_next(&seed) % size] ^= 0x80;
        sum = scan(sum);
    }
    return report("utf8", sum);
}
