// A matrix product in single precision with a block of four rows by two vectors in registers.
#include "bench.h"
#include "simd.h"

enum { N = 256 };
static float a[N][N], b[N][N], c[N][N];

static NOINLINE void multiply(void) {
    for (int i = 0; i < N; i += 4)
        for (int j = 0; j < N; j += 8) {
            vec sum[4][2];
            for (int r = 0; r < 4; r++) sum[r][0] = sum[r][1] = f32_all(0);
            for (int k = 0; k < N; k++) {
                vec left = load(&b[k][j]), right = load(&b[k][j + 4]);
                for (int r = 0; r < 4; r++) {
                    vec x = f32_all(a[i + r][k]);
                    sum[r][0] = f32_add(sum[r][0], f32_mul(x, left));
                    sum[r][1] = f32_add(sum[r][1], f32_mul(x, right));
                }
            }
            for (int r = 0; r < 4; r++) {
                store(&c[i + r][j], sum[r][0]);
                store(&c[i + r][j + 4], sum[r][1]);
            }
        }
}

int main(int argc, char **argv) {
    uint64_t seed = 43, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (float)random_unit(&seed);
            b[i][j] = (float)random_unit(&seed);
        }
    for (uint32_t r = rounds_of(argc, argv, 200); r > 0; r--) {
        multiply();
        a[r % N][r * 3 % N] = c[r * 5 % N][r % N] * 0.01f;
    }
    for (int i = 0; i < N; i++) sum = mix_double(sum, c[i][(i * 7) % N]);
    return report("simd_gemm", sum);
}
