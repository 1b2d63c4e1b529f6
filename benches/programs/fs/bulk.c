// Large writes and reads: 16 MiB by 64 KiB per call.
#include "fs.h"

int main(int argc, char **argv) {
    static char block[1 << 16];
    uint32_t rounds = begin(argc, argv, "bulk", 90);
    uint64_t operations = 0;
    const char *path = path_of("data", 0);
    int fd = open(path, O_CREAT | O_RDWR, 0666);
    check(fd >= 0, path);
    for (uint32_t r = 0; r < rounds; r++) {
        check(lseek(fd, 0, SEEK_SET) == 0, path);
        for (int i = 0; i < 256; i++)
            check(write(fd, block, sizeof block) == (ssize_t)sizeof block, path);
        check(lseek(fd, 0, SEEK_SET) == 0, path);
        for (int i = 0; i < 256; i++)
            check(read(fd, block, sizeof block) == (ssize_t)sizeof block, path);
        operations += 514;
    }
    check(close(fd) == 0 && unlink(path_of("data", 0)) == 0, path);
    return end("bulk", operations);
}
