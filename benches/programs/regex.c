// A backtracking matcher for small patterns (. * + ? [..] and anchors) over many lines.
#include "bench.h"

static const char *class_end(const char *p) {
    while (*p != ']') p++;
    return p + 1;
}

static const char *unit_end(const char *p) { return *p == '[' ? class_end(p) : p + 1; }

static int unit_matches(const char *p, char c) {
    if (c == 0) return 0;
    if (*p == '.') return 1;
    if (*p != '[') return *p == c;
    for (p++; *p != ']'; p++) {
        if (p[1] == '-') {
            if (c >= p[0] && c <= p[2]) return 1;
            p += 2;
        } else if (*p == c) return 1;
    }
    return 0;
}

static int match_here(const char *p, const char *s) {
    for (;;) {
        if (*p == 0) return 1;
        if (*p == '$' && p[1] == 0) return *s == 0;
        const char *end = unit_end(p);
        if (*end == '*' || *end == '+') {
            const char *start = s;
            while (unit_matches(p, *s)) s++;
            for (ptrdiff_t least = *end == '+'; s - start >= least; s--)
                if (match_here(end + 1, s)) return 1;
            return 0;
        }
        if (*end == '?') {
            if (unit_matches(p, *s) && match_here(end + 1, s + 1)) return 1;
            p = end + 1;
            continue;
        }
        if (!unit_matches(p, *s)) return 0;
        p = end;
        s++;
    }
}

static NOINLINE int search(const char *p, const char *s) {
    if (*p == '^') return match_here(p + 1, s);
    do if (match_here(p, s)) return 1; while (*s++);
    return 0;
}

int main(int argc, char **argv) {
    static const char *patterns[] = {"^[a-z]+ .*[0-9]+$", "[aeiou][aeiou]+x?t", "id=[0-9]*7;",
                                     "q.*q.*q", "[a-f0-9]+z[a-m]?k", ".*e.*t.*a.*[0-9]$"};
    static char lines[2000][64];
    uint64_t seed = 41, sum = 0;
    for (int i = 0; i < 2000; i++)
        for (int k = 0; k < 50; k++)
            lines[i][k] = "abcdefghijklmnopqrstuvwxyzaeiouaeiou   0123456789id=;qqzkt"
                [random_next(&seed) % 58];
    for (uint32_t r = rounds_of(argc, argv, 14); r > 0; r--)
        for (int i = 0; i < 2000; i++) {
            uint32_t hits = 0;
            for (int p = 0; p < 6; p++) hits = hits * 2 + (uint32_t)search(patterns[p], lines[i]);
            sum = mix(sum, hits);
        }
    return report("regex", sum);
}
