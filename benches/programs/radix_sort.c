// Radix sort of 64-bit keys, one byte per pass: histogram, prefix sum, scatter.
#include "bench.h"

enum { N = 300000 };
static uint64_t first[N], second[N];

static NOINLINE void pass(const uint64_t *from, uint64_t *to, int shift) {
    uint32_t place[256] = {0}, total = 0;
    for (int i = 0; i < N; i++) place[(from[i] >> shift) & 255]++;
    for (int b = 0; b < 256; b++) {
        uint32_t count = place[b];
        place[b] = total;
        total += count;
    }
    for (int i = 0; i < N; i++) to[place[(from[i] >> shift) & 255]++] = from[i];
}

int main(int argc, char **argv) {
    uint64_t seed = 10, sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 110); r > 0; r--) {
        for (int i = 0; i < N; i++) first[i] = random_next(&seed);
        for (int shift = 0; shift < 64; shift += 16) {
            pass(first, second, shift);
            pass(second, first, shift + 8);
        }
        for (int i = 0; i < N; i += 1000) sum = mix(sum, first[i]);
    }
    return report("radix_sort", sum);
}
