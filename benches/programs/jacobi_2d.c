// Five-point stencil between two grids: each sweep reads one grid and writes the other.
#include "bench.h"

enum { N = 400 };
static double grid[2][N][N];

static NOINLINE void sweep(double from[N][N], double to[N][N]) {
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i + 1][j] +
                              from[i - 1][j]);
}

int main(int argc, char **argv) {
    uint64_t seed = 3, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) grid[0][i][j] = grid[1][i][j] = random_unit(&seed);
    for (uint32_t r = rounds_of(argc, argv, 2000); r > 0; r--) {
        sweep(grid[0], grid[1]);
        sweep(grid[1], grid[0]);
    }
    for (int i = 0; i < N; i++) sum = mix_double(sum, grid[0][i][(i * 3) % N]);
    return report("jacobi_2d", sum);
}
