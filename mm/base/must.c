/* mm/base/must.c - what a broken rule does: one line, then abort. */
#include "mm/base/must.h"

#include <stdio.h>
#include <stdlib.h>

void
must_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "\nstillframe: %s:%d: rule broken: %s\n", file, line, what);
    fflush(stderr);
    abort();
}
