// Counting words: classes of letters, folding of case, a trie of 27 children per node.
#include "bench.h"

enum { LENGTH = 1 << 20, NODES = 200000 };
typedef struct { uint32_t child[26], count; } node;
static node *nodes;
static uint32_t used = 1;
static char text[LENGTH];

static int is_letter(int c) { return (unsigned)((c | 32) - 'a') < 26; }

static NOINLINE uint32_t count_words(void) {
    uint32_t words = 0, at = 0;
    for (int i = 0; i < LENGTH; i++) {
        int c = text[i];
        if (is_letter(c)) {
            uint32_t *next = &nodes[at].child[(c | 32) - 'a'];
            if (*next == 0) {
                if (used == NODES) abort();
                *next = used++;
            }
            at = *next;
        } else if (at != 0) {
            nodes[at].count++;
            words++;
            at = 0;
        }
    }
    return words;
}

static NOINLINE uint64_t longest_line(void) {
    uint32_t lines = 0, longest = 0, width = 0;
    for (int i = 0; i < LENGTH; i++) {
        if (text[i] == '\n') {
            lines++;
            if (width > longest) longest = width;
            width = 0;
        } else width += text[i] == '\t' ? 8 - width % 8 : 1;
    }
    return (uint64_t)lines << 32 | longest;
}

int main(int argc, char **argv) {
    uint64_t seed = 26, sum = 0;
    nodes = calloc(NODES, sizeof *nodes);
    if (!nodes) abort();
    for (int i = 0; i < LENGTH;) {
        // Few words are frequent: the word's own seed is a small skewed number.
        uint64_t r = random_next(&seed), word = (r % 3000) * (r >> 32 & 3) + 7;
        for (int k = 2 + (int)(word % 7); k > 0 && i < LENGTH; k--)
            text[i++] = (char)("aAbcdefghijklmnopqrstuvwxyeeeii"[random_next(&word) % 31]);
        if (i < LENGTH) text[i++] = " \n\t,  . "[r >> 61];
    }
    for (uint32_t r = rounds_of(argc, argv, 75); r > 0; r--) {
        text[random_next(&seed) % LENGTH] = ' ';
        sum = mix(sum, count_words());
        sum = mix(sum, longest_line());
    }
    for (uint32_t i = 0; i < used; i++) sum = mix(sum, nodes[i].count);
    return report("wordcount", sum);
}
