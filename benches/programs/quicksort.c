// Quicksort with a median-of-three pivot and insertion sort below sixteen elements.
#include "bench.h"

enum { N = 400000 };
static int32_t input[N], data[N];

static void insertion(int32_t *v, int count) {
    for (int i = 1; i < count; i++) {
        int32_t x = v[i];
        int j = i;
        for (; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static int32_t median(int32_t a, int32_t b, int32_t c) {
    if (a > b) { int32_t t = a; a = b; b = t; }
    if (b > c) b = c;
    return a > b ? a : b;
}

static NOINLINE void quicksort(int32_t *v, int count) {
    while (count > 16) {
        int32_t pivot = median(v[0], v[count / 2], v[count - 1]);
        int i = -1, j = count;
        for (;;) {
            do i++; while (v[i] < pivot);
            do j--; while (v[j] > pivot);
            if (i >= j) break;
            int32_t t = v[i];
            v[i] = v[j];
            v[j] = t;
        }
        quicksort(v, j + 1);
        v += j + 1;
        count -= j + 1;
    }
    insertion(v, count);
}

int main(int argc, char **argv) {
    uint64_t seed = 8, sum = 0;
    for (uint32_t r = rounds_of(argc, argv, 16); r > 0; r--) {
        for (int i = 0; i < N; i++) input[i] = (int32_t)random_next(&seed);
        memcpy(data, input, sizeof data);
        quicksort(data, N);
        for (int i = 0; i < N; i += 1000) sum = mix(sum, (uint32_t)data[i]);
    }
    return report("quicksort", sum);
}
