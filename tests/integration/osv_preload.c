/* tests/integration/osv_preload.c - LD_PRELOAD: a system that calls itself OSv and says little: the
 * kernel's function that tells its version, no /proc, nothing of the machine's memory, no system
 * time, no class of threads for the background.  A file that rename() replaces is not gone: it is
 * found as NAME.forgotten.  At the end it says on stderr how often threads gave way, and how often
 * directories were synced.  machine_preload.c is OSv as far as memory goes. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

char *osv_version(void);

char *
osv_version(void)
{
    return strdup("v0.57.0-test");
}

FILE *
fopen(const char *path, const char *mode)
{
    FILE *(*next)(const char *, const char *);

    if (strncmp(path, "/proc/", 6) == 0) {
        errno = ENOENT;
        return NULL;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "fopen");
    return next(path, mode);
}

int
rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *);
    char forgotten[PATH_MAX];

    snprintf(forgotten, sizeof forgotten, "%s.forgotten", to);
    if (access(from, F_OK) == 0)
        (void)link(to, forgotten); /* if there is one */
    *(void **)&next = dlsym(RTLD_NEXT, "rename");
    return next(from, to);
}

int
sysinfo(struct sysinfo *info)
{
    (void)info;
    errno = ENOSYS;
    return -1;
}

/* All threads of the machine where one is meant. */
int
getrusage(__rusage_who_t who, struct rusage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (who == RUSAGE_CHILDREN) {
        errno = EINVAL;
        return -1;
    }
    ret->ru_utime.tv_sec = who == RUSAGE_SELF ? 1 : 1000;
    return 0;
}

int
pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *param)
{
    (void)thread;
    return policy == SCHED_OTHER && param->sched_priority == 0 ? 0 : EINVAL;
}

static atomic_ulong yields, synced_dirs;

int
fsync(int fd)
{
    int (*next)(int);
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        atomic_fetch_add(&synced_dirs, 1);
    *(void **)&next = dlsym(RTLD_NEXT, "fsync");
    return next(fd);
}

int
sched_yield(void)
{
    atomic_fetch_add(&yields, 1);
    return 0;
}

__attribute__((destructor)) static void
report(void)
{
    fprintf(stderr, "osv_preload: gave way %lu times\n", atomic_load(&yields));
    fprintf(stderr, "osv_preload: synced directories %lu times\n", atomic_load(&synced_dirs));
}
