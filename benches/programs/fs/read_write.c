// Small writes and reads through one open file: 64 bytes per call.
#include "fs.h"

int main(int argc, char **argv) {
    uint32_t rounds = begin(argc, argv, "read_write", 150);
    uint64_t operations = 0, sum = 0;
    char block[64] = "sixty-four bytes of no great interest";
    const char *path = path_of("data", 0);
    int fd = open(path, O_CREAT | O_RDWR, 0666);
    check(fd >= 0, path);
    for (uint32_t r = 0; r < rounds; r++) {
        check(lseek(fd, 0, SEEK_SET) == 0, path);
        for (int i = 0; i < 1000; i++) check(write(fd, block, sizeof block) == 64, path);
        check(lseek(fd, 0, SEEK_SET) == 0, path);
        for (int i = 0; i < 1000; i++) {
            check(read(fd, block, sizeof block) == 64, path);
            sum += (uint8_t)block[i % 64];
        }
        operations += 2002;
    }
    check(close(fd) == 0 && unlink(path_of("data", 0)) == 0, path);
    return end("read_write", operations + sum % 2);
}
