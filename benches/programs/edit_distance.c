// Alignment of two texts by dynamic programming over one row: a chain of minimums.
#include "bench.h"

enum { N = 2000 };
static uint8_t a[N], b[N];
static int32_t row[N + 1];

static NOINLINE int32_t align(void) {
    for (int j = 0; j <= N; j++) row[j] = j * 2;
    for (int i = 1; i <= N; i++) {
        int32_t corner = row[0];
        row[0] = i * 2;
        for (int j = 1; j <= N; j++) {
            int32_t change = corner + (a[i - 1] == b[j - 1] ? 0 : 3);
            int32_t insert = row[j - 1] + 2, remove = row[j] + 2;
            corner = row[j];
            int32_t best = change < insert ? change : insert;
            row[j] = best < remove ? best : remove;
        }
    }
    return row[N];
}

int main(int argc, char **argv) {
    uint64_t seed = 40, sum = 0;
    for (int i = 0; i < N; i++) {
        a[i] = (uint8_t)(random_next(&seed) & 3);
        b[i] = (uint8_t)(random_next(&seed) & 3);
    }
    for (uint32_t r = rounds_of(argc, argv, 60); r > 0; r--) {
        a[random_next(&seed) % N] ^= 1;
        sum = mix(sum, (uint64_t)align());
    }
    return report("edit_distance", sum);
}
