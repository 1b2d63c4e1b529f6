// The Mandelbrot set, four points at a time in single precision.
#include "bench.h"
#include "simd.h"

static NOINLINE vec escape(vec cx, vec cy, int limit) {
    vec x = f32_all(0), y = f32_all(0), count = i32_all(0), four = f32_all(4);
    for (int n = 0; n < limit; n++) {
        vec xx = f32_mul(x, x), yy = f32_mul(y, y);
        vec inside = f32_le(f32_add(xx, yy), four);
        if (!any_true(inside)) break;
        count = i32_sub(count, inside);
        vec xy = f32_mul(x, y);
        y = f32_add(f32_add(xy, xy), cy);
        x = f32_add(f32_sub(xx, yy), cx);
    }
    return count;
}

int main(int argc, char **argv) {
    enum { WIDTH = 400, HEIGHT = 300 };
    uint64_t sum = 0;
    float columns[WIDTH];
    for (int i = 0; i < WIDTH; i++) columns[i] = (float)i * (3.0f / WIDTH) - 2.2f;
    for (uint32_t r = rounds_of(argc, argv, 40); r > 0; r--)
        for (int j = 0; j < HEIGHT; j++)
            for (int i = 0; i < WIDTH; i += 4) {
                uint32_t out[4];
                vec cy = f32_all((float)j * (2.4f / HEIGHT) - 1.2f);
                store(out, escape(load(columns + i), cy, 400 + (int)r));
                sum = mix(sum, out[0] + out[1] * 3 + out[2] * 5 + out[3] * 7);
            }
    return report("simd_mandelbrot", sum);
}
