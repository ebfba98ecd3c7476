/* tests/support/scratch.h - a directory of its own for a test, below TMPDIR: who runs tests that
 * are meant to fail, and so leave it behind, says where. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* scratch_enter: make it, and be in it.  scratch_leave: it is gone, with what is in it. */
static inline void
scratch_enter(char ret[SCRATCH_BYTES], const char *what)
{
    scratch_make(ret, what);
    ck_assert_int_eq(chdir(ret), 0);
}

static inline void
scratch_leave(const char *dir)
{
    char command[SCRATCH_BYTES + 32];

    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

/* ---- small files of text in it ---- */

static inline bool
scratch_exists(const char *name)
{
    return access(name, F_OK) == 0;
}

static inline void
scratch_write(const char *name, const char *content)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    fputs(content, f);
    fclose(f);
}

/* scratch_holds: its content is this, up to 63 bytes. */
static inline bool
scratch_holds(const char *name, const char *content)
{
    char has[64] = "";
    FILE *f = fopen(name, "r");

    ck_assert_msg(f != NULL, "%s: %s", name, strerror(errno));
    has[fread(has, 1, sizeof has - 1, f)] = '\0';
    fclose(f);
    return strcmp(has, content) == 0;
}

#endif
