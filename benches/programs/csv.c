// Comma-separated lines with quoted fields: a state machine over bytes, then sums per
// column and a small group-by.
#include "bench.h"

enum { ROWS = 20000, GROUPS = 64 };
static char *text;
static size_t length;

typedef struct {
    char field[128];
    uint32_t size, column;
    int64_t totals[8], groups[GROUPS];
    uint32_t group, rows;
} reader;

static int64_t to_integer(const char *s, uint32_t size) {
    int64_t x = 0;
    uint32_t i = size > 0 && s[0] == '-';
    for (; i < size && s[i] >= '0' && s[i] <= '9'; i++) x = x * 10 + (s[i] - '0');
    return s[0] == '-' ? -x : x;
}

static void end_field(reader *r) {
    if (r->column == 0) {
        uint32_t h = 5381;
        for (uint32_t i = 0; i < r->size; i++) h = h * 33 + (uint8_t)r->field[i];
        r->group = h % GROUPS;
    } else if (r->column < 8) {
        int64_t x = to_integer(r->field, r->size);
        r->totals[r->column] += x;
        r->groups[r->group] += x ^ (int64_t)r->column;
    }
    r->column++;
    r->size = 0;
}

static NOINLINE void scan(reader *r, const char *p, const char *end) {
    int quoted = 0;
    for (; p < end; p++) {
        char c = *p;
        if (quoted) {
            if (c == '"') {
                if (p + 1 < end && p[1] == '"') r->field[r->size++ & 127] = *p++;
                else quoted = 0;
            } else r->field[r->size++ & 127] = c;
        } else if (c == '"') {
            quoted = 1;
        } else if (c == ',') {
            end_field(r);
        } else if (c == '\n') {
            end_field(r);
            r->rows++;
            r->column = 0;
        } else {
            r->field[r->size++ & 127] = c;
        }
    }
}

static void build(void) {
    uint64_t seed = 21;
    char *p = text = need(ROWS * 96);
    for (int i = 0; i < ROWS; i++) {
        uint64_t x = random_next(&seed);
        p += sprintf(p, "\"city, no. \"\"%u\"\"\",%d,%u,-%u,%u,\"%u\",%u,%u\n", (unsigned)(x % 90), i,
                     (unsigned)(x >> 8) % 1000, (unsigned)(x >> 20) % 77,
                     (unsigned)(x >> 30) % 100000, (unsigned)(x >> 40) % 10,
                     (unsigned)(x >> 44) % 12345, (unsigned)(x >> 50));
    }
    length = (size_t)(p - text);
}

int main(int argc, char **argv) {
    static reader r;
    uint64_t sum = 0;
    build();
    for (uint32_t n = rounds_of(argc, argv, 180); n > 0; n--) scan(&r, text, text + length);
    for (int i = 0; i < 8; i++) sum = mix(sum, (uint64_t)r.totals[i]);
    for (int i = 0; i < GROUPS; i++) sum = mix(sum, (uint64_t)r.groups[i]);
    return report("csv", mix(sum, r.rows));
}
