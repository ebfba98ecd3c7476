/* mm/base/must.c - what a broken rule does: one line, then abort. */
#include "mm/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void (*must_tell_too)(const char *line);

/* Written at once: on a console that is standard error and the log, other threads write too. */
void
must_fail(const char *file, int line, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof text - 1, "stillframe: %s:%d: rule broken: %s", file, line, what);

    if (must_tell_too != NULL)
        must_tell_too(text);
    if (n > 0) {
        n = n < (int)sizeof text - 2 ? n : (int)sizeof text - 2;
        text[n] = '\n';
        (void)!write(STDERR_FILENO, text, (size_t)n + 1);
    }
    abort();
}
