// Two matrix products in a row, D = (A·B)·C, with the inner loop down a column: the
// access pattern that no vectorizer likes, on heap memory.
#include "bench.h"

enum { N = 200 };

static NOINLINE void product(const double *restrict x, const double *restrict y,
                             double *restrict out) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++) sum += x[i * N + k] * y[k * N + j];
            out[i * N + j] = sum / N;
        }
}

int main(int argc, char **argv) {
    size_t bytes = sizeof(double) * N * N;
    double *a = need(bytes), *b = need(bytes), *c = need(bytes), *t = need(bytes);
    uint64_t seed = 2, sum = 0;
    for (int i = 0; i < N * N; i++) {
        a[i] = random_unit(&seed) + 0.5;
        b[i] = random_unit(&seed) + 0.5;
        c[i] = random_unit(&seed) + 0.5;
    }
    for (uint32_t r = rounds_of(argc, argv, 26); r > 0; r--) {
        product(a, b, t);
        product(t, c, a);
    }
    for (int i = 0; i < N * N; i += 97) sum = mix_double(sum, a[i]);
    return report("two_mm", sum);
}
