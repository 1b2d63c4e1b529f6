// Matrix times vector and transposed matrix times vector, in single precision.
#include "bench.h"

enum { N = 700 };
static float matrix[N][N], x[N], y[N];

static NOINLINE void by_rows(void) {
    for (int i = 0; i < N; i++) {
        float sum = 0;
        for (int j = 0; j < N; j++) sum += matrix[i][j] * x[j];
        y[i] = sum * (2.0f / N);
    }
}

static NOINLINE void by_columns(void) {
    for (int i = 0; i < N; i++) x[i] = 0;
    for (int j = 0; j < N; j++)
        for (int i = 0; i < N; i++) x[i] += matrix[j][i] * y[j];
    for (int i = 0; i < N; i++) x[i] *= 2.0f / N;
}

int main(int argc, char **argv) {
    uint64_t seed = 7, sum = 0;
    for (int i = 0; i < N; i++) {
        x[i] = 1.0f;
        for (int j = 0; j < N; j++) matrix[i][j] = (float)random_unit(&seed);
    }
    for (uint32_t r = rounds_of(argc, argv, 900); r > 0; r--) {
        by_rows();
        by_columns();
    }
    for (int i = 0; i < N; i++) sum = mix_double(sum, x[i]);
    return report("mvt", sum);
}
