/* tool/base/spill.c - temporary files without a name. */
#include "tool/base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *
tool_spill_dir(void)
{
    const char *dir = getenv("TMPDIR");

    return dir != NULL && dir[0] != '\0' ? dir : "/var/tmp";
}

int
tool_spill_open(void)
{
    char path[4096];
    int fd = open(tool_spill_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    /* a file system that has none without a name: one that loses it */
    if ((size_t)snprintf(path, sizeof path, "%s/stillframe-rdb-XXXXXX", tool_spill_dir()) >=
        sizeof path)
        return -ENAMETOOLONG;
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
        return -errno;
    (void)unlink(path);
    return fd;
}

int
tool_spill_write(int fd, const void *bytes, size_t len, uint64_t at)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int
tool_spill_read(int fd, void *bytes, size_t len, uint64_t at)
{
    char *p = bytes;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}
