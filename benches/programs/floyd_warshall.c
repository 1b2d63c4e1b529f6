// All shortest paths over an integer distance matrix: load, add, compare, store.
#include "bench.h"

enum { N = 320 };
static int32_t start[N][N], distance[N][N];

static NOINLINE void relax_all(void) {
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t via = distance[i][k] + distance[k][j];
                if (via < distance[i][j]) distance[i][j] = via;
            }
}

int main(int argc, char **argv) {
    uint64_t seed = 6, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            start[i][j] = i == j ? 0 : (int32_t)(random_next(&seed) % 100000) + 1;
    for (uint32_t r = rounds_of(argc, argv, 24); r > 0; r--) {
        memcpy(distance, start, sizeof distance);
        relax_all();
        for (int i = 0; i < N; i++) sum = mix(sum, (uint64_t)distance[i][(i * 5) % N]);
        start[r % N][(r * 3 + 1) % N] += 17;
    }
    return report("floyd_warshall", sum);
}
