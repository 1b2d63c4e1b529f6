// Arithmetic expressions: tokens, precedence climbing into a tree of nodes, and the
// evaluation of that tree for many values of its variables.
#include "bench.h"

typedef struct node {
    char op;
    int64_t constant;
    struct node *left, *right;
} node;

static node nodes[1 << 16];
static uint32_t used;
static const char *at;

static node *fresh(char op, int64_t constant, node *left, node *right) {
    node *n = &nodes[used++ & 0xffff];
    *n = (node){op, constant, left, right};
    return n;
}

static int level_of(char op) {
    switch (op) {
    case '|': return 1;
    case '^': return 2;
    case '&': return 3;
    case '+': case '-': return 4;
    case '*': case '/': case '%': return 5;
    default: return 0;
    }
}

static node *parse(int level);

static node *operand(void) {
    char c = *at;
    if (c == '(') {
        at++;
        node *inner = parse(1);
        at++;
        return inner;
    }
    if (c == '-') {
        at++;
        return fresh('n', 0, operand(), NULL);
    }
    if (c >= 'a' && c <= 'h') {
        at++;
        return fresh('v', c - 'a', NULL, NULL);
    }
    int64_t x = 0;
    while (*at >= '0' && *at <= '9') x = x * 10 + (*at++ - '0');
    return fresh('c', x, NULL, NULL);
}

static node *parse(int level) {
    node *left = operand();
    for (int found; (found = level_of(*at)) >= level && found;) {
        char op = *at++;
        left = fresh(op, 0, left, parse(found + 1));
    }
    return left;
}

static uint64_t evaluate(const node *n, const uint64_t *variables) {
    if (n->op == 'c') return (uint64_t)n->constant;
    if (n->op == 'v') return variables[n->constant];
    uint64_t x = evaluate(n->left, variables);
    if (n->op == 'n') return 0 - x;
    uint64_t y = evaluate(n->right, variables);
    switch (n->op) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return x * y;
    case '/': return x / (y | 1);
    case '%': return x % (y | 1);
    case '&': return x & y;
    case '|': return x | y;
    default: return x ^ y;
    }
}

static char *write_expression(char *out, int depth, uint64_t *seed) {
    uint64_t r = random_next(seed);
    if (depth == 0) {
        if (r & 1) *out++ = (char)('a' + (r >> 8) % 8);
        else out += sprintf(out, "%u", (unsigned)(r >> 8) % 1000);
        return out;
    }
    if (r % 5 == 0) *out++ = '(';
    out = write_expression(out, depth - 1, seed);
    *out++ = "+-*/%&|^"[(r >> 16) % 8];
    out = write_expression(out, depth - 1 - (r >> 24 & 1 && depth > 1), seed);
    if (r % 5 == 0) *out++ = ')';
    *out = 0;
    return out;
}

int main(int argc, char **argv) {
    static char text[1 << 16];
    uint64_t seed = 22, sum = 0, variables[8];
    for (uint32_t r = rounds_of(argc, argv, 350); r > 0; r--) {
        *write_expression(text, 9, &seed) = 0;
        for (int i = 0; i < 8; i++) variables[i] = random_next(&seed) % 5000;
        for (int i = 0; i < 20; i++) {
            used = 0;
            at = text;
            node *root = parse(1);
            for (int k = 0; k < 60; k++) {
                variables[k % 8] += (uint64_t)k;
                sum = mix(sum, evaluate(root, variables));
            }
        }
    }
    return report("expression", sum);
}
