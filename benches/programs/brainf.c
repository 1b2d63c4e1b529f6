// An interpreter for the eight-letter language, with runs joined and jumps resolved;
// the program it runs squares numbers and prints them.
#include "bench.h"

typedef struct { char op; int32_t value; } step;
static step steps[4096];
static uint8_t tape[1 << 16];

static uint32_t translate(const char *source) {
    uint32_t count = 0, open[64], depth = 0;
    for (const char *p = source; *p; p++) {
        if (!strchr("+-<>[].", *p)) continue;
        if (*p == '[') open[depth++] = count;
        if (*p == ']') {
            uint32_t start = open[--depth];
            steps[count] = (step){']', (int32_t)start};
            steps[start].value = (int32_t)count;
            count++;
            continue;
        }
        int sign = *p == '+' || *p == '>' ? 1 : -1;
        char op = *p == '+' || *p == '-' ? '+' : *p == '<' || *p == '>' ? '>' : *p;
        if (op != '[' && op != '.' && count > 0 && steps[count - 1].op == op) {
            steps[count - 1].value += sign;
            continue;
        }
        steps[count++] = (step){op, sign};
    }
    steps[count] = (step){0, 0};
    return count;
}

static NOINLINE uint64_t run(uint64_t sum) {
    uint16_t at = 0;
    for (const step *s = steps;; s++) switch (s->op) {
        case '+': tape[at] = (uint8_t)(tape[at] + s->value); break;
        case '>': at = (uint16_t)(at + s->value); break;
        case '[': if (tape[at] == 0) s = steps + s->value; break;
        case ']': if (tape[at] != 0) s = steps + s->value; break;
        case '.': sum = mix(sum, tape[at]); break;
        default: return sum;
        }
}

// Counts from 255 down; for each number, adds it to itself that many times.
static const char program[] =
    "-[>[-]>[-]>[-]<<<[->+>+<<]>>[-<<+>>]<[->" // copy the counter to the next cell
    "[-]<<[->>+>+<<<]>>>[-<<<+>>>]<[->>>+<<<]>" // and add it to the sum cell
    "<<]>>>>.<<<<<-]>>>>>.";

int main(int argc, char **argv) {
    uint64_t sum = translate(program);
    for (uint32_t r = rounds_of(argc, argv, 25); r > 0; r--) {
        memset(tape, 0, sizeof tape);
        tape[0] = (uint8_t)(r & 3);
        sum = run(sum);
        sum = mix_bytes(sum, tape, 16);
    }
    return report("brainf", sum);
}
