/* tests/integration/hold_preload.c - LD_PRELOAD: a save stands still for as long as a file is
 * there: before each write() of a dump while HOLD_WRITES names one, before each fsync() of a dump
 * while HOLD_FSYNC does.  So a test looks at a save that is under way, however fast the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
is_dump(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((n = readlink(link, path, sizeof path - 1)) < 0)
        return 0;
    path[n] = '\0';
    return strstr(path, "/temp-stillframe-") != NULL;
}

static void
hold(int fd, const char *variable)
{
    const char *path = getenv(variable);

    if (path == NULL || !is_dump(fd))
        return;
    while (access(path, F_OK) == 0)
        usleep(1000);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
    hold(fd, "HOLD_WRITES");
    return syscall(SYS_write, fd, bytes, len);
}

int
fsync(int fd)
{
    hold(fd, "HOLD_FSYNC");
    return (int)syscall(SYS_fsync, fd);
}
