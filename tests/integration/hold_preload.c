/* tests/integration/hold_preload.c - LD_PRELOAD: a save stands still for as long as a file is
 * there.  So a test looks at a save that is under way, however fast the machine.
 *
 *   HOLD_WRITES   names the file for each write() of a dump
 *   HOLD_FSYNC    for each fsync() of a dump, or of a file of CONFIG REWRITE or ACL SAVE
 *   HOLD_READS    for each read() of a dump that has no name yet
 *   HOLD_BEGIN    for getcwd(), which the begin of a save calls: the event loop stands still
 *   HOLD_POLL     for read() of an eventfd, from which it learns how far the save is: the same
 *   HOLD_NAMES    for getaddrinfo() of a name
 *
 * And THREADS_MAX: with so many threads pthread_create() fails, as under a limit of the system. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* is_named: that is in the descriptor's name. */
static int
is_named(int fd, const char *part)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((n = readlink(link, path, sizeof path - 1)) < 0)
        return 0;
    path[n] = '\0';
    return strstr(path, part) != NULL;
}

static void
hold(const char *variable)
{
    const char *path = getenv(variable);

    while (path != NULL && access(path, F_OK) == 0)
        usleep(1000);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
    if (is_named(fd, "/temp-stillframe-"))
        hold("HOLD_WRITES");
    return syscall(SYS_write, fd, bytes, len);
}

int
fsync(int fd)
{
    if (is_named(fd, "/temp-stillframe-") || is_named(fd, "/.stillframe-"))
        hold("HOLD_FSYNC");
    return (int)syscall(SYS_fsync, fd);
}

char *
getcwd(char *path, size_t room)
{
    char *(*real)(char *, size_t) = (char *(*)(char *, size_t))dlsym(RTLD_NEXT, "getcwd");

    hold("HOLD_BEGIN");
    return real(path, room);
}

ssize_t
read(int fd, void *bytes, size_t room)
{
    if (is_named(fd, "[eventfd]"))
        hold("HOLD_POLL");
    else if (is_named(fd, "/temp-stillframe-"))
        hold("HOLD_READS");
    return syscall(SYS_read, fd, bytes, room);
}

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    typedef int (*find_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    find_fn real = (find_fn)dlsym(RTLD_NEXT, "getaddrinfo");

    if (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) == 0)
        hold("HOLD_NAMES");
    return real(host, port, hints, ret);
}

static int
count_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n - 2; /* without "." and ".." */
}

int
pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    create_fn real = (create_fn)dlsym(RTLD_NEXT, "pthread_create");
    const char *max = getenv("THREADS_MAX");

    if (max != NULL && count_threads() >= atoi(max))
        return EAGAIN;
    return real(ret, attr, run, arg);
}
