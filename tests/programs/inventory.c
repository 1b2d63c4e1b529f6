// A small program that uses the C library as programs do: files, folders, formatted text,
// sorting, floating point, time and the environment.
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct item {
    char name[32];
    double price;
    int count;
};

static int by_value(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    double vx = x->price * x->count, vy = y->price * y->count;
    return vx < vy ? 1 : vx > vy ? -1 : strcmp(x->name, y->name);
}

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : ".";
    if (chdir(folder) != 0) return fail(folder);

    FILE *list = fopen("items.txt", "w");
    if (!list) return fail("items.txt");
    for (int i = 1; i <= 5; i++) fprintf(list, "item-%d %.2f %d\n", i, sqrt(i * 2.0), i * i);
    if (fclose(list) != 0) return fail("close");

    struct item items[8];
    int count = 0;
    list = fopen("items.txt", "r");
    if (!list) return fail("items.txt");
    while (count < 8 && fscanf(list, "%31s %lf %d", items[count].name, &items[count].price,
                               &items[count].count) == 3)
        count++;
    fclose(list);
    qsort(items, count, sizeof items[0], by_value);
    for (int i = 0; i < count; i++)
        printf("%-8s %6.2f x %2d = %8.3f\n", items[i].name, items[i].price, items[i].count,
               items[i].price * items[i].count);

    if (mkdir("sub", 0777) != 0) return fail("mkdir");
    if (rename("items.txt", "sub/items.txt") != 0) return fail("rename");
    struct stat status;
    if (stat("sub/items.txt", &status) != 0) return fail("stat");
    printf("%lld bytes\n", (long long)status.st_size);

    int entries = 0;
    DIR *dir = opendir("sub");
    if (!dir) return fail("opendir");
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') entries++;
    closedir(dir);
    printf("%d entry\n", entries);

    if (unlink("sub/items.txt") != 0 || rmdir("sub") != 0) return fail("remove");
    printf("%s, %s\n", time(NULL) > 1700000000 ? "now" : "long ago", getenv("GREETING"));
    errno = 0;
    if (fopen("/outside", "r") || errno == 0) return 2;
    return 7;
}
