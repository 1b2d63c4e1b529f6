// A linked list in random order, larger than the first cache: latency and nothing else, then the
// same list in allocation order. It fits the second cache: those behind it are shared with
// neighbours, who would decide what is measured.
#include "bench.h"

enum { COUNT = 1 << 14 };
typedef struct cell { struct cell *next; uint32_t value, pad[5]; } cell;

static NOINLINE uint64_t chase(const cell *c, uint32_t steps) {
    uint64_t sum = 0;
    for (; steps > 0; steps--) {
        sum += c->value;
        c = c->next;
    }
    return sum;
}

int main(int argc, char **argv) {
    cell *cells = need(COUNT * sizeof *cells);
    uint32_t *order = need(COUNT * sizeof *order);
    uint64_t seed = 38, sum = 0;
    for (uint32_t i = 0; i < COUNT; i++) order[i] = i;
    for (int half = 0; half < 2; half++) {
        for (uint32_t i = COUNT - 1; i > 0 && half == 0; i--) {
            uint32_t j = (uint32_t)(random_next(&seed) % (i + 1)), t = order[i];
            order[i] = order[j];
            order[j] = t;
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t at = half == 0 ? order[i] : i, next = (i + 1) % COUNT;
            cells[at].next = &cells[half == 0 ? order[next] : next];
            cells[at].value = i * 2654435761u;
        }
        for (uint32_t r = rounds_of(argc, argv, 4000); r > 0; r--)
            sum = mix(sum, chase(&cells[r], COUNT));
    }
    return report("pointer_chase", sum);
}
