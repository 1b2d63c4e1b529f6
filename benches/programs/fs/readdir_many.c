// Listing a folder of three hundred files, again and again.
#include "fs.h"

int main(int argc, char **argv) {
    uint32_t rounds = begin(argc, argv, "readdir_many", 250), files = 300;
    uint64_t operations = 0;
    for (uint32_t i = 0; i < files; i++) write_whole(path_of("some-file", i), "", 0);
    for (uint32_t r = 0; r < rounds; r++) {
        uint32_t seen = 0;
        DIR *listing = opendir(folder);
        check(listing != NULL, folder);
        for (struct dirent *e; (e = readdir(listing));) seen += e->d_name[0] == 's';
        check(closedir(listing) == 0 && seen == files, folder);
        operations += seen + 2;
    }
    for (uint32_t i = 0; i < files; i++) check(unlink(path_of("some-file", i)) == 0, "unlink");
    return end("readdir_many", operations);
}
