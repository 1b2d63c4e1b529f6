// Five bodies under gravitation: double precision, a square root and divisions per pair.
#include "bench.h"
#include <math.h>

enum { BODIES = 5 };
typedef struct { double x, y, z, vx, vy, vz, mass; } body;
static body bodies[BODIES];

static NOINLINE void advance(double dt) {
    for (int i = 0; i < BODIES; i++) {
        body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double force = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * force;
            a->vy -= dy * b->mass * force;
            a->vz -= dz * b->mass * force;
            b->vx += dx * a->mass * force;
            b->vy += dy * a->mass * force;
            b->vz += dz * a->mass * force;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 33, sum = 0;
    for (int i = 0; i < BODIES; i++)
        bodies[i] = (body){10.0 * i * random_unit(&seed), 8.0 * i, i * random_unit(&seed),
                           random_unit(&seed) * 0.5, i ? 0.6 / i : 0, random_unit(&seed) * 0.1,
                           i == 0 ? 39.0 : 0.02 * i};
    for (uint32_t r = rounds_of(argc, argv, 4500000); r > 0; r--) advance(0.001);
    for (int i = 0; i < BODIES; i++) sum = mix_double(sum, bodies[i].x + bodies[i].vz);
    return report("nbody", sum);
}
