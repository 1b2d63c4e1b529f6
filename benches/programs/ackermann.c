// Ackermann's function, deep and narrow: the stack is walked up and down.
#include "bench.h"

static NOINLINE uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 60); r > 0; r--) {
        uint32_t m = 3;
        HIDE(m);
        sum = mix(sum, ackermann(m, 9));
    }
    return report("ackermann", sum);
}
