// CRC-32 of a buffer, once with a table per byte and once with four tables per word.
#include "bench.h"

enum { LENGTH = 1 << 20 };
static uint32_t table[4][256];
static uint8_t buffer[LENGTH];

static void prepare(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[0][i] = c;
    }
    for (int t = 1; t < 4; t++)
        for (int i = 0; i < 256; i++)
            table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

static NOINLINE uint32_t by_bytes(uint32_t crc, const uint8_t *p, size_t length) {
    for (crc = ~crc; length > 0; length--) crc = table[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

static NOINLINE uint32_t by_words(uint32_t crc, const uint8_t *p, size_t length) {
    for (crc = ~crc; length >= 4; length -= 4, p += 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        crc ^= word;
        crc = table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^
              table[0][crc >> 24];
    }
    return ~crc;
}

int main(int argc, char **argv) {
    uint64_t seed = 13, sum = 0;
    prepare();
    for (int i = 0; i < LENGTH; i++) buffer[i] = (uint8_t)random_next(&seed);
    for (uint32_t r = rounds_of(argc, argv, 170); r > 0; r--) {
        sum = mix(sum, by_bytes(r, buffer, LENGTH));
        sum = mix(sum, by_words(r, buffer, LENGTH));
    }
    return report("crc32", sum);
}
