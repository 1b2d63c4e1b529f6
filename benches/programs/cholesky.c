// Cholesky factorization of a symmetric positive definite matrix: triangular loops,
// a division and a square root per row.
#include "bench.h"
#include <math.h>

enum { N = 400 };
static double matrix[N][N], work[N][N];

static NOINLINE void factorize(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            double x = work[i][j];
            for (int k = 0; k < j; k++) x -= work[i][k] * work[j][k];
            work[i][j] = x / work[j][j];
        }
        double d = work[i][i];
        for (int k = 0; k < i; k++) d -= work[i][k] * work[i][k];
        work[i][i] = sqrt(d);
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 5, sum = 0;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++) matrix[i][j] = matrix[j][i] = random_unit(&seed);
        matrix[i][i] += N;
    }
    for (uint32_t r = rounds_of(argc, argv, 40); r > 0; r--) {
        memcpy(work, matrix, sizeof work);
        factorize();
        matrix[0][0] += work[N - 1][N - 1];
    }
    for (int i = 0; i < N; i++) sum = mix_double(sum, work[i][i / 2]);
    return report("cholesky", sum);
}
