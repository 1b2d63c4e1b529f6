// A JSON text is built once, then parsed into a tree and summed, again and again:
// recursive descent, number conversion, string escapes, an arena.
#include "bench.h"

typedef enum { NIL, BOOL, NUMBER, STRING, ARRAY, OBJECT } kind;
typedef struct value {
    kind kind;
    double number;
    const char *text;
    uint32_t length;
    struct value *first, *next, *name;
} value;

enum { VALUES = 400000, TEXT = 1 << 22 };
static value *arena;
static uint32_t used;
static char *strings;
static uint32_t string_used;
static const char *at;

static value *fresh(kind k) {
    if (used == VALUES) abort();
    value *v = &arena[used++];
    memset(v, 0, sizeof *v);
    v->kind = k;
    return v;
}

static void blank(void) {
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
}

static value *parse_string(void) {
    value *v = fresh(STRING);
    char *out = strings + string_used, *start = out;
    for (at++; *at != '"';) {
        char c = *at++;
        if (c == '\\') {
            switch (c = *at++) {
            case 'n': c = '\n'; break;
            case 't': c = '\t'; break;
            case 'u': {
                unsigned code = 0;
                for (int i = 0; i < 4; i++) {
                    char d = *at++;
                    code = code * 16 + (unsigned)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
                }
                if (code >= 0x80) *out++ = (char)(0xc0 | code >> 6);
                c = (char)(code >= 0x80 ? 0x80 | (code & 63) : code);
                break;
            }
            default: break;
            }
        } else if (c == 0) abort();
        *out++ = c;
    }
    at++;
    v->text = start;
    v->length = (uint32_t)(out - start);
    string_used += v->length;
    return v;
}

static value *parse_number(void) {
    value *v = fresh(NUMBER);
    double sign = 1, x = 0, place = 1;
    if (*at == '-') { sign = -1; at++; }
    while (*at >= '0' && *at <= '9') x = x * 10 + (*at++ - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; place *= 10) x = x * 10 + (*at++ - '0');
    v->number = sign * x / place;
    return v;
}

static value *parse_value(void) {
    blank();
    switch (*at) {
    case '{': case '[': {
        char end = *at == '{' ? '}' : ']';
        value *v = fresh(*at == '{' ? OBJECT : ARRAY), **link = &v->first;
        at++;
        for (blank(); *at != end; blank()) {
            value *name = NULL;
            if (end == '}') {
                name = parse_string();
                blank();
                if (*at++ != ':') abort();
            }
            value *item = parse_value();
            item->name = name;
            *link = item;
            link = &item->next;
            blank();
            if (*at == ',') at++;
        }
        at++;
        return v;
    }
    case '"': return parse_string();
    case 't': at += 4; { value *v = fresh(BOOL); v->number = 1; return v; }
    case 'f': at += 5; return fresh(BOOL);
    case 'n': at += 4; return fresh(NIL);
    default: return parse_number();
    }
}

static uint64_t walk(const value *v, uint64_t sum) {
    sum = mix(sum, v->kind);
    if (v->name) sum = mix_bytes(sum, v->name->text, v->name->length);
    if (v->kind == NUMBER) return mix_double(sum, v->number);
    if (v->kind == STRING) return mix_bytes(sum, v->text, v->length);
    for (const value *c = v->first; c; c = c->next) sum = walk(c, sum);
    return sum;
}

static char *build(void) {
    static const char *words[] = {"alpha", "br\\u00e4vo", "char\\\"lie", "delta\\n", "echo"};
    char *text = need(TEXT), *p = text;
    uint64_t seed = 20;
    p += sprintf(p, "{ \"items\": [\n");
    for (int i = 0; i < 6000; i++) {
        uint64_t r = random_next(&seed);
        p += sprintf(p, "%s{\"id\": %d, \"name\": \"%s %s\", \"price\": %s%u.%02u, ", i ? ",\n" : "",
                     i, words[r % 5], words[r / 5 % 5], r & 64 ? "-" : "",
                     (unsigned)(r >> 40) % 10000, (unsigned)(r >> 20) % 100);
        p += sprintf(p, "\"tags\": [%u, %u, null, %s], \"place\": {\"x\": %u, \"y\": 0.%u}}",
                     (unsigned)(r >> 8) % 50, (unsigned)(r >> 16) % 5000, r & 1 ? "true" : "false",
                     (unsigned)(r >> 24) % 900, (unsigned)(r >> 32) % 1000);
    }
    sprintf(p, "] }");
    return text;
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    char *text = build();
    arena = need(sizeof(value) * VALUES);
    strings = need(TEXT);
    for (uint32_t r = rounds_of(argc, argv, 350); r > 0; r--) {
        used = string_used = 0;
        at = text;
        value *root = parse_value();
        sum = mix(sum, used);
        if (r % 8 == 1) sum = walk(root, sum);
    }
    return report("json", sum);
}
