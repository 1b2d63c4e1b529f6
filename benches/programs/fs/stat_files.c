// Asking for the attributes of files by path and by descriptor, and of paths that do not exist.
#include "fs.h"

int main(int argc, char **argv) {
    uint32_t rounds = begin(argc, argv, "stat_files", 1600);
    uint64_t operations = 0, size = 0;
    struct stat attributes;
    for (uint32_t i = 0; i < 16; i++) write_whole(path_of("file", i), "0123456789abcdef", i);
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < 16; i++) {
            const char *path = path_of("file", i);
            check(stat(path, &attributes) == 0, path);
            size += (uint64_t)attributes.st_size;
            check(stat(path_of("missing", i), &attributes) != 0 && errno == ENOENT, path);
        }
        int fd = open(folder, O_RDONLY | O_DIRECTORY);
        check(fd >= 0 && fstat(fd, &attributes) == 0 && close(fd) == 0, folder);
        operations += 35;
    }
    for (uint32_t i = 0; i < 16; i++) check(unlink(path_of("file", i)) == 0, "unlink");
    return end("stat_files", operations + size % 2);
}
