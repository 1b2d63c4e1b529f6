// Opening and closing existing files, two folders deep.
#include "fs.h"

int main(int argc, char **argv) {
    uint32_t rounds = begin(argc, argv, "open_close", 10000);
    uint64_t operations = 0;
    char deep[600], path[640];
    snprintf(deep, sizeof deep, "%s/inner", folder);
    check(mkdir(deep, 0777) == 0, deep);
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "%s/file-%d", deep, i);
        write_whole(path, "content", 7);
    }
    for (uint32_t r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++) {
            snprintf(path, sizeof path, "%s/file-%d", deep, i);
            int fd = open(path, O_RDONLY);
            check(fd >= 0 && close(fd) == 0, path);
            operations += 2;
        }
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "%s/file-%d", deep, i);
        check(unlink(path) == 0, path);
    }
    check(rmdir(deep) == 0, deep);
    return end("open_close", operations);
}
