// The sieve of Eratosthenes on bits, and the popcount of what remains.
#include "bench.h"

enum { LIMIT = 1 << 21 };
static uint64_t bits[LIMIT / 64];

static NOINLINE void cross_out(uint32_t first) {
    for (uint32_t i = first; i * i < LIMIT; i += 2) {
        if (bits[i / 64] >> (i % 64) & 1) continue;
        for (uint32_t j = i * i; j < LIMIT; j += 2 * i) bits[j / 64] |= 1ull << (j % 64);
    }
}

static NOINLINE uint32_t remaining(void) {
    uint32_t count = 0;
    for (int i = 0; i < LIMIT / 64; i++)
        count += (uint32_t)__builtin_popcountll(~bits[i] & 0xaaaaaaaaaaaaaaaaull);
    return count;
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 280); r > 0; r--) {
        memset(bits, 0, sizeof bits);
        cross_out(r & 1 ? 3 : 5);
        sum = mix(sum, remaining());
    }
    return report("sieve", sum);
}
