// Classifying characters: ranges, tables and a counter per class, over one buffer.
#include "bench.h"

enum { LENGTH = 1 << 16, UPPER = 1, LOWER = 2, DIGIT = 4, SPACE = 8, PUNCT = 16 };
static uint8_t text[LENGTH], classes[256];

static int class_of(int c) {
    if (c >= 'A' && c <= 'Z') return UPPER;
    if (c >= 'a' && c <= 'z') return LOWER;
    if (c >= '0' && c <= '9') return DIGIT;
    if (c == ' ' || (c >= 9 && c <= 13)) return SPACE;
    return c > 32 && c < 127 ? PUNCT : 0;
}

static NOINLINE uint32_t by_branches(void) {
    uint32_t total = 0;
    for (int i = 0; i < LENGTH; i++) total += (uint32_t)class_of(text[i]);
    return total;
}

static NOINLINE uint32_t by_table(void) {
    uint32_t letters = 0, digits = 0, other = 0;
    for (int i = 0; i < LENGTH; i++) {
        uint8_t k = classes[text[i]];
        letters += (k & (UPPER | LOWER)) != 0;
        digits += (k & DIGIT) != 0;
        other += k == 0;
    }
    return letters * 31 + digits * 17 + other;
}

static NOINLINE void fold(void) {
    for (int i = 0; i < LENGTH; i++)
        if (classes[text[i]] & (UPPER | LOWER)) text[i] ^= 32;
}

int main(int argc, char **argv) {
    uint64_t seed = 28, sum = 0;
    for (int c = 0; c < 256; c++) classes[c] = (uint8_t)class_of(c);
    for (int i = 0; i < LENGTH; i++) text[i] = (uint8_t)(random_next(&seed) >> 57);
    for (uint32_t r = rounds_of(argc, argv, 800); r > 0; r--) {
        sum = mix(sum, by_branches());
        sum = mix(sum, by_table());
        fold();
    }
    return report("ctype", sum);
}
