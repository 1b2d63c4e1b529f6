// Conway's game on a torus, one byte per cell: eight loads and a table per cell.
#include "bench.h"

enum { N = 512 };
static uint8_t cells[2][N][N];

static NOINLINE void step(uint8_t from[N][N], uint8_t to[N][N]) {
    static const uint8_t rule[2][9] = {{0, 0, 0, 1, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 0, 0, 0, 0, 0}};
    for (int i = 0; i < N; i++) {
        const uint8_t *up = from[(i + N - 1) % N], *here = from[i], *down = from[(i + 1) % N];
        for (int j = 0; j < N; j++) {
            int l = (j + N - 1) % N, r = (j + 1) % N;
            int around = up[l] + up[j] + up[r] + here[l] + here[r] + down[l] + down[j] + down[r];
            to[i][j] = rule[here[j]][around];
        }
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 37;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) cells[0][i][j] = random_next(&seed) % 3 == 0;
    for (uint32_t r = rounds_of(argc, argv, 400); r > 0; r--) {
        step(cells[0], cells[1]);
        step(cells[1], cells[0]);
    }
    return report("life", mix_bytes(0, cells[0], sizeof cells[0]));
}
