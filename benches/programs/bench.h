// What every kernel shares: how much work to do, reproducible random numbers, and one
// line of output. A kernel is deterministic: for one scale it prints the same line
// natively and under every engine, so it uses no libm function beyond sqrt and fabs.
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Hides a value from the optimizer, so that rounds are not folded into one.
#define HIDE(x) __asm__ volatile("" : "+r"(x))

// Keeps a function a call, where the call is what is measured.
#define NOINLINE __attribute__((noinline))

// The number of rounds: `usual` scaled by the first argument in percent (default 100).
static inline uint32_t rounds_of(int argc, char **argv, uint32_t usual) {
    uint64_t percent = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
    uint64_t rounds = usual * percent / 100;
    return rounds == 0 ? 1 : (uint32_t)rounds;
}

// One step of a 64-bit Weyl sequence with a multiplicative finish.
static inline uint64_t random_next(uint64_t *state) {
    uint64_t x = (*state += 0xa0761d6478bd642full);
    x = (x ^ (x >> 31)) * 0xe7037ed1a0b428dbull;
    x = (x ^ (x >> 29)) * 0x8ebc6af09c88c6e3ull;
    return x ^ (x >> 32);
}

// A double in [0, 1) with 32 random bits.
static inline double random_unit(uint64_t *state) {
    return (double)(uint32_t)(random_next(state) >> 32) * (1.0 / 4294967296.0);
}

// Adds a value to a checksum.
static inline uint64_t mix(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15ull;
    return sum ^ (sum >> 29);
}

static inline uint64_t mix_double(uint64_t sum, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(sum, bits);
}

static inline uint64_t mix_bytes(uint64_t sum, const void *bytes, size_t length) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < length; i++) sum = mix(sum, p[i]);
    return sum;
}

static inline int report(const char *name, uint64_t sum) {
    printf("%s %016llx\n", name, (unsigned long long)sum);
    return 0;
}

// Memory or a clear end: no kernel runs on with a null pointer.
static inline void *need(size_t bytes) {
    void *p = malloc(bytes);
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

#endif
