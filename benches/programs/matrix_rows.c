// Integer matrices as arrays of pointers to rows: every access loads a pointer first.
#include "bench.h"

enum { N = 160 };

static int32_t **fresh(void) {
    int32_t **rows = need(N * sizeof *rows);
    for (int i = 0; i < N; i++) rows[i] = need(N * sizeof **rows);
    return rows;
}

static NOINLINE void multiply(int32_t **a, int32_t **b, int32_t **out) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < N; k++) sum += (uint32_t)a[i][k] * (uint32_t)b[k][j];
            out[i][j] = (int32_t)(sum % 1009);
        }
}

static NOINLINE void transpose(int32_t **a) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) {
            int32_t t = a[i][j];
            a[i][j] = a[j][i];
            a[j][i] = t;
        }
}

int main(int argc, char **argv) {
    int32_t **a = fresh(), **b = fresh(), **c = fresh();
    uint64_t seed = 36, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int32_t)(random_next(&seed) % 1000);
            b[i][j] = (int32_t)(random_next(&seed) % 1000);
        }
    for (uint32_t r = rounds_of(argc, argv, 220); r > 0; r--) {
        multiply(a, b, c);
        transpose(b);
        int32_t **t = a;
        a = c;
        c = t;
        sum = mix(sum, (uint32_t)a[r % N][r * 7 % N]);
    }
    return report("matrix_rows", sum);
}
