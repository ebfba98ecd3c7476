/* tests/osv/symbols.c - does OSv have all that a server and its libraries ask for?  test_system.py
 * compiles it with their names in symbols.inc, and boots it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {
#include "symbols.inc"
};

int
main(void)
{
    int missing = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (dlsym(RTLD_DEFAULT, names[i]) == NULL) {
            printf("missing: %s\n", names[i]);
            missing++;
        }
    }
    printf("asked for %zu symbols, %d missing\n", sizeof names / sizeof names[0], missing);
    fflush(stdout);
    exit(0);
}
