// Takeuchi's function: three arguments, four recursive calls.
#include "bench.h"

static NOINLINE int32_t tak(int32_t x, int32_t y, int32_t z) {
    if (y >= x) return z;
    return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 800); r > 0; r--) {
        int32_t x = 20;
        HIDE(x);
        sum = mix(sum, (uint64_t)tak(x, 13, 6 + (int32_t)(r & 1)));
    }
    return report("tak", sum);
}
