// Finding a short text in a long one: the naive way, by a skip table, and by a rolling hash.
#include "bench.h"

enum { LENGTH = 1 << 20 };
static uint8_t hay[LENGTH];

static NOINLINE uint32_t naive(const uint8_t *needle, uint32_t size) {
    uint32_t hits = 0;
    for (uint32_t i = 0; i + size <= LENGTH; i++) {
        uint32_t k = 0;
        while (k < size && hay[i + k] == needle[k]) k++;
        if (k == size) hits += i;
    }
    return hits;
}

static NOINLINE uint32_t skipping(const uint8_t *needle, uint32_t size) {
    uint32_t skip[256], hits = 0;
    for (int c = 0; c < 256; c++) skip[c] = size;
    for (uint32_t i = 0; i + 1 < size; i++) skip[needle[i]] = size - 1 - i;
    for (uint32_t i = 0; i + size <= LENGTH; i += skip[hay[i + size - 1]])
        if (memcmp(hay + i, needle, size) == 0) hits += i;
    return hits;
}

static NOINLINE uint32_t rolling(const uint8_t *needle, uint32_t size) {
    uint32_t want = 0, have = 0, top = 1, hits = 0;
    for (uint32_t i = 0; i < size; i++) {
        want = want * 257 + needle[i];
        have = have * 257 + hay[i];
        if (i > 0) top *= 257;
    }
    for (uint32_t i = 0;; i++) {
        if (have == want && memcmp(hay + i, needle, size) == 0) hits += i;
        if (i + size >= LENGTH) return hits;
        have = (have - hay[i] * top) * 257 + hay[i + size];
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 23, sum = 0;
    for (int i = 0; i < LENGTH; i++) hay[i] = (uint8_t)("etaoinsh"[random_next(&seed) >> 61]);
    for (uint32_t r = rounds_of(argc, argv, 70); r > 0; r--) {
        uint32_t size = 5 + r % 12;
        const uint8_t *needle = hay + random_next(&seed) % (LENGTH - 64);
        sum = mix(sum, naive(needle, size));
        sum = mix(sum, skipping(needle, size));
        sum = mix(sum, rolling(needle, size));
    }
    return report("memsearch", sum);
}
