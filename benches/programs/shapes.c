// Objects with a table of functions each: an indirect call per operation, of five
// kinds in random order, then sorted by kind so that the target is predictable.
#include "bench.h"

typedef struct shape shape;
typedef struct {
    double (*area)(const shape *);
    void (*scale)(shape *, double);
    uint32_t (*sides)(const shape *);
} methods;
struct shape {
    const methods *methods;
    double a, b, c;
};

static double square_area(const shape *s) { return s->a * s->a; }
static double box_area(const shape *s) { return s->a * s->b; }
static double disc_area(const shape *s) { return s->a * s->a * 3.141592653589793; }
static double ring_area(const shape *s) { return (s->a * s->a - s->b * s->b) * 3.141592653589793; }
static double prism_area(const shape *s) { return 2 * (s->a * s->b + s->b * s->c + s->a * s->c); }
static void scale_one(shape *s, double k) { s->a *= k; }
static void scale_two(shape *s, double k) { s->a *= k; s->b *= k; }
static void scale_three(shape *s, double k) { s->a *= k; s->b *= k; s->c *= k; }
static uint32_t four(const shape *s) { (void)s; return 4; }
static uint32_t none(const shape *s) { (void)s; return 0; }
static uint32_t by_size(const shape *s) { return s->c > 0.5 ? 12 : 6; }

static const methods kinds[5] = {{square_area, scale_one, four},
                                 {box_area, scale_two, four},
                                 {disc_area, scale_one, none},
                                 {ring_area, scale_two, none},
                                 {prism_area, scale_three, by_size}};

enum { COUNT = 20000 };
static shape shapes[COUNT];

static NOINLINE double visit(double k, uint64_t *sides) {
    double total = 0;
    for (int i = 0; i < COUNT; i++) {
        shape *s = &shapes[i];
        total += s->methods->area(s);
        s->methods->scale(s, k);
        *sides += s->methods->sides(s);
    }
    return total;
}

int main(int argc, char **argv) {
    uint64_t seed = 31, sum = 0, sides = 0;
    uint32_t rounds = rounds_of(argc, argv, 2200);
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < COUNT; i++) {
            uint64_t kind = half == 0 ? random_next(&seed) % 5 : (uint64_t)i * 5 / COUNT;
            shapes[i] = (shape){&kinds[kind], random_unit(&seed) + 1, random_unit(&seed),
                                random_unit(&seed)};
        }
        for (uint32_t r = 0; r < rounds / 2 + 1; r++)
            sum = mix_double(sum, visit(r & 1 ? 0.5 : 2.0, &sides));
    }
    return report("shapes", mix(sum, sides));
}
