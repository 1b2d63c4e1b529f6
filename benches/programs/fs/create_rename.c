// Files that are made, renamed and removed, and folders that are made and removed.
#include "fs.h"

int main(int argc, char **argv) {
    uint32_t rounds = begin(argc, argv, "create_rename", 8000);
    uint64_t operations = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        char from[640], to[640];
        strcpy(from, path_of("before", r % 10));
        strcpy(to, path_of("after", r % 10));
        write_whole(from, "x", 1);
        check(rename(from, to) == 0, from);
        check(unlink(to) == 0, to);
        check(mkdir(from, 0777) == 0 && rmdir(from) == 0, from);
        operations += 7;
    }
    return end("create_rename", operations);
}
