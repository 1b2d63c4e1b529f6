// Queens on a board: recursion with arrays of flags, and once more with bit sets.
#include "bench.h"

static uint8_t column_used[32], up_used[64], down_used[64];

static uint32_t place(uint32_t row, uint32_t n) {
    if (row == n) return 1;
    uint32_t found = 0;
    for (uint32_t c = 0; c < n; c++) {
        if (column_used[c] | up_used[row + c] | down_used[row + n - c]) continue;
        column_used[c] = up_used[row + c] = down_used[row + n - c] = 1;
        found += place(row + 1, n);
        column_used[c] = up_used[row + c] = down_used[row + n - c] = 0;
    }
    return found;
}

static uint32_t place_bits(uint32_t columns, uint32_t up, uint32_t down, uint32_t all) {
    if (columns == all) return 1;
    uint32_t found = 0;
    for (uint32_t open = all & ~(columns | up | down); open; open &= open - 1) {
        uint32_t bit = open & (0 - open);
        found += place_bits(columns | bit, (up | bit) << 1, (down | bit) >> 1, all);
    }
    return found;
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 40); r > 0; r--) {
        uint32_t n = 11;
        HIDE(n);
        sum = mix(sum, place(0, n));
        sum = mix(sum, place_bits(0, 0, 0, (1u << (n + 1)) - 1));
    }
    return report("nqueens", sum);
}
