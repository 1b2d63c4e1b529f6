// Bytes sixteen at a time: folding of case, counting of a letter, and finding the end.
#include "bench.h"
#include "simd.h"

enum { LENGTH = 1 << 18 };
static uint8_t text[LENGTH + 16];

static NOINLINE void fold(void) {
    vec below = i8_all('A' - 1), above = i8_all('Z'), flip = i8_all(32);
    for (int i = 0; i < LENGTH; i += 16) {
        vec x = load(text + i), y = bit_and(x, i8_all(0xdf));
        vec letter = bit_and(u8_gt(y, below), bit_xor(u8_gt(y, above), i8_all(0xff)));
        store(text + i, bit_xor(x, bit_and(letter, flip)));
    }
}

static NOINLINE uint32_t count(uint8_t letter) {
    vec want = i8_all(letter), total = i16_all(0);
    for (int block = 0; block < LENGTH; block += 16 * 128) {
        vec part = i8_all(0);
        for (int i = block; i < block + 16 * 128; i += 16)
            part = i8_sub(part, i8_eq(load(text + i), want));
        total = i16_add(total, i16_add(u8_widen_low(part), u8_widen_high(part)));
    }
    uint16_t lanes[8];
    uint32_t sum = 0;
    store(lanes, total);
    for (int i = 0; i < 8; i++) sum += lanes[i];
    return sum;
}

static NOINLINE uint32_t find(uint8_t letter) {
    vec want = i8_all(letter);
    for (uint32_t i = 0; i < LENGTH; i += 16)
        if (any_true(i8_eq(load(text + i), want)))
            for (uint32_t k = i;; k++)
                if (text[k] == letter) return k;
    return LENGTH;
}

int main(int argc, char **argv) {
    uint64_t seed = 45, sum = 0;
    for (int i = 0; i < LENGTH; i++) text[i] = (uint8_t)(random_next(&seed) % 96 + 32);
    for (uint32_t r = rounds_of(argc, argv, 16000); r > 0; r--) {
        fold();
        sum = mix(sum, count((uint8_t)(r % 64 + 40)));
        sum = mix(sum, find(200));
    }
    return report("simd_bytes", mix_bytes(sum, text, LENGTH));
}
