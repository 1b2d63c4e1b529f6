// A chained hash table that grows: byte-wise hash, allocation per entry, deletion.
#include "bench.h"

typedef struct entry {
    struct entry *next;
    uint32_t hash, value;
    char key[16];
} entry;

typedef struct {
    entry **buckets;
    uint32_t size, used;
} table;

static uint32_t hash(const char *s) {
    uint32_t h = 2166136261u;
    for (; *s; s++) h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

static void grow(table *t) {
    uint32_t size = t->size * 2;
    entry **buckets = need(size * sizeof *buckets);
    memset(buckets, 0, size * sizeof *buckets);
    for (uint32_t b = 0; b < t->size; b++)
        for (entry *e = t->buckets[b], *next; e; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (size - 1)];
            buckets[e->hash & (size - 1)] = e;
        }
    free(t->buckets);
    t->buckets = buckets;
    t->size = size;
}

static NOINLINE void add(table *t, const char *key, uint32_t value) {
    uint32_t h = hash(key);
    for (entry *e = t->buckets[h & (t->size - 1)]; e; e = e->next)
        if (e->hash == h && strcmp(e->key, key) == 0) {
            e->value += value;
            return;
        }
    if (t->used >= t->size) grow(t);
    entry *e = need(sizeof *e);
    e->hash = h;
    e->value = value;
    strcpy(e->key, key);
    e->next = t->buckets[h & (t->size - 1)];
    t->buckets[h & (t->size - 1)] = e;
    t->used++;
}

static NOINLINE uint32_t take(table *t, const char *key) {
    uint32_t h = hash(key);
    for (entry **p = &t->buckets[h & (t->size - 1)]; *p; p = &(*p)->next) {
        entry *e = *p;
        if (e->hash == h && strcmp(e->key, key) == 0) {
            uint32_t value = e->value;
            *p = e->next;
            free(e);
            t->used--;
            return value;
        }
    }
    return 0;
}

static void name(char *out, uint64_t number) {
    *out++ = 'k';
    do *out++ = (char)('0' + number % 10); while (number /= 10);
    *out = 0;
}

int main(int argc, char **argv) {
    uint64_t seed = 12, sum = 0;
    char key[16];
    for (uint32_t r = rounds_of(argc, argv, 26); r > 0; r--) {
        table t = {need(16 * sizeof(entry *)), 16, 0};
        memset(t.buckets, 0, 16 * sizeof(entry *));
        for (int i = 0; i < 150000; i++) {
            name(key, random_next(&seed) % 50000);
            add(&t, key, (uint32_t)i);
        }
        for (int i = 0; i < 50000; i++) {
            name(key, (uint64_t)i);
            sum = mix(sum, take(&t, key));
        }
        sum = mix(sum, t.used);
        free(t.buckets);
    }
    return report("fnv_table", sum);
}
