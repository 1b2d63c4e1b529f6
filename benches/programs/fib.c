// Doubly recursive Fibonacci: nothing but calls.
#include "bench.h"

static NOINLINE uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 7); r > 0; r--) {
        uint32_t n = 36;
        HIDE(n);
        sum = mix(sum, fib(n));
    }
    return report("fib", sum);
}
