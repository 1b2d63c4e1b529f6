// Dense matrix product in double precision: C = a·A·B + b·C, row by row.
#include "bench.h"

enum { N = 256 };
static double a[N][N], b[N][N], c[N][N];

static NOINLINE void gemm(double alpha, double beta) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) c[i][j] *= beta;
        for (int k = 0; k < N; k++) {
            double factor = alpha * a[i][k];
            for (int j = 0; j < N; j++) c[i][j] += factor * b[k][j];
        }
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 1, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = random_unit(&seed);
            b[i][j] = random_unit(&seed);
        }
    for (uint32_t r = rounds_of(argc, argv, 100); r > 0; r--) gemm(0.75, 0.25);
    for (int i = 0; i < N; i++) sum = mix_double(sum, c[i][(i * 7) % N]);
    return report("gemm", sum);
}
