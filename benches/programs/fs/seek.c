// Seeking to scattered places of one file and reading a little there; positioned reads too.
#include "fs.h"

int main(int argc, char **argv) {
    static char block[1 << 16];
    uint32_t rounds = begin(argc, argv, "seek", 160000);
    uint64_t operations = 0, seed = 1, sum = 0;
    const char *path = path_of("data", 0);
    memset(block, 7, sizeof block);
    write_whole(path, block, sizeof block);
    int fd = open(path, O_RDONLY);
    check(fd >= 0, path);
    for (uint32_t r = 0; r < rounds; r++) {
        off_t place = (off_t)(random_next(&seed) % (sizeof block - 16));
        check(lseek(fd, place, SEEK_SET) == place, path);
        check(read(fd, block, 16) == 16, path);
        check(pread(fd, block + 16, 16, place ^ 8) > 0, path);
        sum += (uint8_t)block[3];
        operations += 3;
    }
    check(close(fd) == 0 && unlink(path_of("data", 0)) == 0, path);
    return end("seek", operations + (sum != (uint64_t)rounds * 7));
}
