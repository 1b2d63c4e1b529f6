// Heapsort through a comparison function that the compiler cannot see: an indirect
// call per comparison, as in a generic library.
#include "bench.h"

enum { N = 150000 };
typedef int (*compare_fn)(const void *, const void *);
typedef struct { uint32_t key, value; } item;
static item data[N];

static int by_key(const void *a, const void *b) {
    uint32_t x = ((const item *)a)->key, y = ((const item *)b)->key;
    return (x > y) - (x < y);
}

static int by_key_down(const void *a, const void *b) { return by_key(b, a); }

static void sift(item *v, uint32_t root, uint32_t count, compare_fn compare) {
    item x = v[root];
    for (;;) {
        uint32_t child = 2 * root + 1;
        if (child >= count) break;
        if (child + 1 < count && compare(&v[child], &v[child + 1]) < 0) child++;
        if (compare(&x, &v[child]) >= 0) break;
        v[root] = v[child];
        root = child;
    }
    v[root] = x;
}

static NOINLINE void heapsort_items(item *v, uint32_t count, compare_fn compare) {
    for (uint32_t i = count / 2; i-- > 0;) sift(v, i, count, compare);
    for (uint32_t end = count - 1; end > 0; end--) {
        item t = v[0];
        v[0] = v[end];
        v[end] = t;
        sift(v, 0, end, compare);
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 9, sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 22); r > 0; r--) {
        for (uint32_t i = 0; i < N; i++)
            data[i] = (item){(uint32_t)random_next(&seed), i};
        compare_fn compare = r & 1 ? by_key : by_key_down;
        HIDE(compare);
        heapsort_items(data, N, compare);
        for (int i = 0; i < N; i += 500) sum = mix(sum, data[i].key + data[i].value);
    }
    return report("heapsort", sum);
}
