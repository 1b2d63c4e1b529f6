// The spectral norm of an infinite matrix given by a formula: integer arithmetic and a
// floating-point division per element.
#include "bench.h"
#include <math.h>

enum { N = 500 };

static inline double element(uint32_t i, uint32_t j) {
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static NOINLINE void times(const double *v, double *out) {
    for (uint32_t i = 0; i < N; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < N; j++) sum += element(i, j) * v[j];
        out[i] = sum;
    }
}

static NOINLINE void times_transposed(const double *v, double *out) {
    for (uint32_t i = 0; i < N; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < N; j++) sum += element(j, i) * v[j];
        out[i] = sum;
    }
}

int main(int argc, char **argv) {
    static double u[N], v[N], t[N];
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) u[i] = 1;
    for (uint32_t r = rounds_of(argc, argv, 350); r > 0; r--) {
        times(u, t);
        times_transposed(t, v);
        times(v, t);
        times_transposed(t, u);
        double biggest = 0;
        for (int i = 0; i < N; i++) if (u[i] > biggest) biggest = u[i];
        for (int i = 0; i < N; i++) u[i] /= biggest;
        sum = mix_double(sum, sqrt(biggest));
    }
    return report("spectral_norm", sum);
}
