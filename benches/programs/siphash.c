// An open-addressing table keyed by strings through a keyed add-rotate-xor hash.
#include "bench.h"

enum { SLOTS = 1 << 15, KEYS = 20000 };
typedef struct { uint32_t key, length, count; } slot;
static slot slots[SLOTS];
static char text[KEYS * 24];
static uint32_t starts[KEYS + 1];

static inline uint64_t rotate(uint64_t x, int n) { return x << n | x >> (64 - n); }

#define ROUND()                                                        \
    do {                                                               \
        a += b; b = rotate(b, 13) ^ a; a = rotate(a, 32);              \
        c += d; d = rotate(d, 16) ^ c;                                 \
        a += d; d = rotate(d, 21) ^ a;                                 \
        c += b; b = rotate(b, 17) ^ c; c = rotate(c, 32);              \
    } while (0)

static NOINLINE uint64_t hash(const char *bytes, uint32_t length, uint64_t k0, uint64_t k1) {
    uint64_t a = k0 ^ 0x736f6d6570736575ull, b = k1 ^ 0x646f72616e646f6dull;
    uint64_t c = k0 ^ 0x6c7967656e657261ull, d = k1 ^ 0x7465646279746573ull;
    uint32_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        d ^= word;
        ROUND();
        a ^= word;
    }
    uint64_t last = (uint64_t)length << 56;
    for (uint32_t i = 0; at + i < length; i++) last |= (uint64_t)(uint8_t)bytes[at + i] << (8 * i);
    d ^= last;
    ROUND();
    a ^= last;
    c ^= 0xff;
    for (int i = 0; i < 3; i++) ROUND();
    return a ^ b ^ c ^ d;
}

static slot *find(uint32_t key) {
    const char *bytes = text + starts[key];
    uint32_t length = starts[key + 1] - starts[key];
    uint32_t at = (uint32_t)hash(bytes, length, 11, 13) & (SLOTS - 1);
    for (;; at = (at + 1) & (SLOTS - 1)) {
        slot *s = &slots[at];
        if (s->count == 0) {
            s->key = key;
            s->length = length;
            return s;
        }
        if (s->length == length && memcmp(text + starts[s->key], bytes, length) == 0) return s;
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 11, sum = 0;
    uint32_t at = 0;
    for (int k = 0; k < KEYS; k++) {
        starts[k] = at;
        uint32_t length = 4 + (uint32_t)(random_next(&seed) % 20);
        for (uint32_t i = 0; i < length; i++) text[at++] = (char)('a' + random_next(&seed) % 26);
    }
    starts[KEYS] = at;
    for (uint32_t r = rounds_of(argc, argv, 500); r > 0; r--)
        for (int k = 0; k < KEYS; k++) find((uint32_t)k)->count++;
    for (int i = 0; i < SLOTS; i++) sum = mix(sum, slots[i].count + slots[i].key);
    return report("siphash", sum);
}
