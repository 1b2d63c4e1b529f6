// Four lanes of a 32-bit add-rotate-xor hash: shifts, additions and exclusive or.
#include "bench.h"
#include "simd.h"

enum { LENGTH = 1 << 18 };
static uint32_t data[LENGTH / 4];

static inline vec rotate(vec x, int n) { return bit_or(i32_shl(x, n), i32_shr(x, 32 - n)); }

static NOINLINE vec absorb(vec a, vec b, vec c, vec d) {
    for (int i = 0; i < LENGTH / 4; i += 4) {
        a = bit_xor(a, load(data + i));
        a = i32_add(a, b);
        d = rotate(bit_xor(d, a), 16);
        c = i32_add(c, d);
        b = rotate(bit_xor(b, c), 12);
        a = i32_add(a, b);
        d = rotate(bit_xor(d, a), 8);
        c = i32_add(c, d);
        b = rotate(bit_xor(b, c), 7);
    }
    return bit_xor(bit_xor(a, b), bit_xor(c, d));
}

int main(int argc, char **argv) {
    uint64_t seed = 46, sum = 0;
    for (int i = 0; i < LENGTH / 4; i++) data[i] = (uint32_t)random_next(&seed);
    vec state = i32_all(1);
    for (uint32_t r = rounds_of(argc, argv, 4200); r > 0; r--)
        state = absorb(state, i32_all(r), i32_all(3), i32_all(4));
    uint32_t lanes[4];
    store(lanes, state);
    for (int i = 0; i < 4; i++) sum = mix(sum, lanes[i]);
    return report("simd_hash", sum);
}
