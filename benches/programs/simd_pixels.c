// Blending two images of bytes: widening to 16 bits, multiplying, narrowing again.
#include "bench.h"
#include "simd.h"

enum { LENGTH = 1 << 18 };
static uint8_t front[LENGTH], back[LENGTH], out[LENGTH];

static NOINLINE void blend(uint16_t weight) {
    vec w = i16_all(weight), rest = i16_all((uint16_t)(256 - weight)), half = i16_all(128);
    for (int i = 0; i < LENGTH; i += 16) {
        vec f = load(front + i), b = load(back + i);
        vec low = i16_add(i16_mul(u8_widen_low(f), w), i16_mul(u8_widen_low(b), rest));
        vec high = i16_add(i16_mul(u8_widen_high(f), w), i16_mul(u8_widen_high(b), rest));
        low = i16_shr(i16_add(low, half), 8);
        high = i16_shr(i16_add(high, half), 8);
        store(out + i, u8_narrow(low, high));
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 44, sum = 0;
    for (int i = 0; i < LENGTH; i++) {
        front[i] = (uint8_t)random_next(&seed);
        back[i] = (uint8_t)random_next(&seed);
    }
    for (uint32_t r = rounds_of(argc, argv, 14000); r > 0; r--) {
        blend((uint16_t)(r % 200 + 20));
        uint32_t at = r * 7919 % LENGTH;
        back[at] = out[at];
        sum += out[(r * 31) % LENGTH];
    }
    return report("simd_pixels", mix_bytes(sum, out, LENGTH));
}
