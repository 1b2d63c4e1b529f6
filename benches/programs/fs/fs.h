// What the file programs share: `program DIR [PERCENT]`, a work folder of their own below
// DIR that is empty at the start and gone at the end, and one line with the operations done.
#ifndef FS_H
#define FS_H

#include "../bench.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[512];

static inline void check(int is_fine, const char *what) {
    if (is_fine) return;
    perror(what);
    exit(1);
}

// Makes the work folder and returns the rounds: `usual` scaled by the second argument.
static inline uint32_t begin(int argc, char **argv, const char *name, uint32_t usual) {
    check(argc > 1, "usage: program DIR [PERCENT]");
    snprintf(folder, sizeof folder, "%s/%s", argv[1], name);
    check(mkdir(folder, 0777) == 0, folder);
    return rounds_of(argc - 1, argv + 1, usual);
}

static inline const char *path_of(const char *stem, uint32_t number) {
    static char path[640];
    snprintf(path, sizeof path, "%s/%s-%u", folder, stem, (unsigned)number);
    return path;
}

static inline void write_whole(const char *path, const void *bytes, size_t length) {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0666);
    check(fd >= 0, path);
    check(write(fd, bytes, length) == (ssize_t)length, path);
    check(close(fd) == 0, path);
}

static inline int end(const char *name, uint64_t operations) {
    check(rmdir(folder) == 0, folder);
    printf("%s %llu operations\n", name, (unsigned long long)operations);
    return 0;
}

#endif
