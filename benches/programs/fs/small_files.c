// A tree of small files as a build tool sees it: write all, then read all back, then remove.
#include "fs.h"

int main(int argc, char **argv) {
    static char text[2048];
    uint32_t rounds = begin(argc, argv, "small_files", 160);
    uint64_t operations = 0;
    memset(text, 'x', sizeof text);
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < 100; i++) write_whole(path_of("source", i), text, 500 + i * 10);
        for (uint32_t i = 0; i < 100; i++) {
            const char *path = path_of("source", i);
            struct stat attributes;
            int fd = open(path, O_RDONLY);
            check(fd >= 0 && fstat(fd, &attributes) == 0, path);
            check(read(fd, text, sizeof text) == attributes.st_size, path);
            check(close(fd) == 0, path);
        }
        for (uint32_t i = 0; i < 100; i++) check(unlink(path_of("source", i)) == 0, "unlink");
        operations += 800;
    }
    return end("small_files", operations);
}
