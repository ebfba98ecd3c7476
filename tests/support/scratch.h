/* tests/support/scratch.h - a directory of its own for a test, below TMPDIR: who runs tests that
 * are meant to fail, and so leave it behind, says where. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRATCH_BYTES = 200 };

/* scratch_make: ret is the new directory's path. */
static inline void
scratch_make(char ret[SCRATCH_BYTES], const char *what)
{
    const char *below = getenv("TMPDIR");

    if (below == NULL || below[0] == '\0')
        below = "/tmp";
    ck_assert_int_lt(snprintf(ret, SCRATCH_BYTES, "%s/stillframe-%s-XXXXXX", below, what),
                     SCRATCH_BYTES);
    ck_assert_ptr_nonnull(mkdtemp(ret));
}

#endif
