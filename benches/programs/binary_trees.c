// Trees built, walked and freed: the allocator of the C library, small blocks.
#include "bench.h"

typedef struct tree { struct tree *left, *right; } tree;

static tree *build(uint32_t depth) {
    tree *t = need(sizeof *t);
    *t = depth == 0 ? (tree){NULL, NULL} : (tree){build(depth - 1), build(depth - 1)};
    return t;
}

static uint32_t count(const tree *t) {
    return t->left ? 1 + count(t->left) + count(t->right) : 1;
}

static void drop(tree *t) {
    if (t->left) {
        drop(t->left);
        drop(t->right);
    }
    free(t);
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    tree *lasting = build(16);
    for (uint32_t r = rounds_of(argc, argv, 500); r > 0; r--)
        for (uint32_t depth = 4; depth <= 14; depth += 5)
            for (uint32_t n = 1u << (14 - depth); n > 0; n -= (n + 1) / 2) {
                tree *t = build(depth);
                sum = mix(sum, count(t));
                drop(t);
            }
    sum = mix(sum, count(lasting));
    drop(lasting);
    return report("binary_trees", sum);
}
