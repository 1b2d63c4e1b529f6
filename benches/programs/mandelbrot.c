// The Mandelbrot set in double precision, point by point: a loop with an early exit.
#include "bench.h"

static NOINLINE uint32_t escape(double cx, double cy, uint32_t limit) {
    double x = 0, y = 0;
    for (uint32_t n = 0; n < limit; n++) {
        double xx = x * x, yy = y * y;
        if (xx + yy > 4) return n;
        y = 2 * x * y + cy;
        x = xx - yy + cx;
    }
    return limit;
}

int main(int argc, char **argv) {
    enum { WIDTH = 400, HEIGHT = 300 };
    uint64_t sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 13); r > 0; r--)
        for (int j = 0; j < HEIGHT; j++)
            for (int i = 0; i < WIDTH; i++)
                sum = mix(sum, escape(i * (3.0 / WIDTH) - 2.2, j * (2.4 / HEIGHT) - 1.2, 400 + r));
    return report("mandelbrot", sum);
}
