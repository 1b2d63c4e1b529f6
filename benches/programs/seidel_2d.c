// Nine-point stencil in place: each point depends on the one just written, so nothing
// can be vectorized and the floating-point latency is the limit.
#include "bench.h"

enum { N = 400 };
static double grid[N][N];

static NOINLINE void sweep(void) {
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            grid[i][j] = (grid[i - 1][j - 1] + grid[i - 1][j] + grid[i - 1][j + 1] +
                          grid[i][j - 1] + grid[i][j] + grid[i][j + 1] + grid[i + 1][j - 1] +
                          grid[i + 1][j] + grid[i + 1][j + 1]) *
                         (1.0 / 9.0);
}

int main(int argc, char **argv) {
    uint64_t seed = 4, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) grid[i][j] = random_unit(&seed);
    for (uint32_t r = rounds_of(argc, argv, 300); r > 0; r--) sweep();
    for (int i = 0; i < N; i++) sum = mix_double(sum, grid[i][(i * 3) % N]);
    return report("seidel_2d", sum);
}
