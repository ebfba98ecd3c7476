/* tests/integration/loader.c - start a server that is a shared object, as a unikernel's loader
 * does: open it, look up main, call it.
 *
 *   loader FILE.so [server's arguments] */
#include <dlfcn.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    int (*entry)(int, char **);
    void *so;

    if (argc < 2) {
        fprintf(stderr, "usage: loader FILE.so [argument ...]\n");
        return 2;
    }
    if ((so = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL)) == NULL) {
        fprintf(stderr, "loader: %s\n", dlerror());
        return 1;
    }
    *(void **)&entry = dlsym(so, "main");
    if (entry == NULL) {
        fprintf(stderr, "loader: %s\n", dlerror());
        return 1;
    }
    return entry(argc - 1, argv + 1);
}
