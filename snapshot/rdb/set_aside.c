/* snapshot/rdb/set_aside.c - the old file steps aside.  The contract is in set_aside.h. */
#include "snapshot/rdb/set_aside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/fault.h"

static const char prefix[] = "temp-stillframe-aside-";

int
set_aside_name(char ret[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    int n = snprintf(ret, PATH_MAX, "%.*s%s%s", (int)(base - path), path, prefix, base);

    return n >= PATH_MAX || strlen(base) + sizeof prefix - 1 > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* is_regular: 1; 0: something else, or nothing; or -errno. */
static int
is_regular(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISREG(st.st_mode) ? 1 : 0;
}

int
set_aside(const char *path)
{
    char aside[PATH_MAX];
    int r = is_regular(path);

    if (r <= 0)
        return r;
    if (set_aside_name(aside, path) < 0)
        return 0; /* the name is so long that its blocks are lost */
    if ((r = set_aside_remove(path)) < 0)
        return r; /* or it would be replaced itself */
    if (fault_point(FAULT_set_aside))
        return -EIO;
    return rename(path, aside) < 0 ? -errno : 1;
}

void
set_aside_undo(const char *path)
{
    char aside[PATH_MAX];

    if (set_aside_name(aside, path) == 0)
        (void)rename(aside, path); /* the save has failed: that is what is told */
}

int
set_aside_replace(const char *temp, const char *path, bool sets_aside)
{
    int has_aside = sets_aside ? set_aside(path) : 0, r;

    if (has_aside < 0)
        return has_aside;
    if (fault_point(FAULT_sink_rename))
        r = -EACCES;
    else
        r = rename(temp, path) < 0 ? -errno : 0;
    if (r < 0 && has_aside > 0)
        set_aside_undo(path);
    return r < 0 ? r : has_aside;
}

int
set_aside_remove(const char *path)
{
    char aside[PATH_MAX];

    if (set_aside_name(aside, path) < 0)
        return 0;
    return unlink(aside) < 0 && errno != ENOENT ? -errno : 0;
}

int
set_aside_restore(const char *path)
{
    char aside[PATH_MAX];
    struct stat st;

    if (set_aside_name(aside, path) < 0 || is_regular(aside) <= 0)
        return 0;
    if (lstat(path, &st) == 0)
        return set_aside_remove(path);
    if (errno != ENOENT)
        return -errno;
    return rename(aside, path) < 0 ? -errno : 1;
}
