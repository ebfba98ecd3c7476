/* mm/base/os_linux.c - os.h on Linux and on what implements its calls (OSv). */
#include "mm/base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* A reservation on OSv is usable as it is: its MADV_DONTNEED of a range that reaches over the edge
 * of two mappings empties pages behind the range, too, as long as the second mapping is
 * (mmu::depopulate of 0.57), and mprotect() makes such edges.  Memory comes with the first touch
 * either way. */
void *
os_reserve(size_t bytes)
{
    int usable = os_is_unikernel() ? PROT_READ | PROT_WRITE : PROT_NONE;
    void *p;

    if (fault_point(FAULT_mm_reserve))
        return NULL;
    p = mmap(NULL, bytes, usable, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
#ifdef MADV_DONTDUMP
    (void)madvise(p, bytes, MADV_DONTDUMP); /* a core of the address space helps nobody */
#endif
#ifdef MADV_NOHUGEPAGE
    /* A byte touched would cost 2 MiB, which nobody counts, and which do not all come back. */
    if (os_is_unikernel())
        (void)madvise(p, bytes, MADV_NOHUGEPAGE);
#endif
    return p;
}

int
os_commit(void *p, size_t bytes)
{
    if (fault_point(FAULT_mm_commit))
        return -ENOMEM;
    if (os_is_unikernel())
        return 0;
    return mprotect(p, bytes, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
}

void
os_release(void *p, size_t bytes)
{
    (void)munmap(p, bytes);
}

void
os_discard(void *p, size_t bytes)
{
    (void)madvise(p, bytes, MADV_DONTNEED);
}

/* Linux 6.16 flushes the processor's address cache once for all ranges of a process_madvise();
 * where flushing is dear (a guest whose page tables are kept by software), that is the price: 16
 * ranges of 64 KiB took 250 us instead of 6,400.  Older ones, and other systems, refuse the file
 * descriptor that means this process (6.15).  OSv is not asked: for each call that it lacks it puts
 * a line of its own on the console, which is the operator's log. */
unsigned
os_discard_ranges(const struct os_range *r, unsigned count)
{
#ifdef SYS_process_madvise
    enum { PIDFD_OF_THIS_PROCESS = -10001 };
    static _Atomic bool asked, refused;
    struct iovec v[OS_RANGES_MAX];

    must(count > 0 && count <= OS_RANGES_MAX);
    for (unsigned i = 0; i < count; i++)
        v[i] = (struct iovec){.iov_base = r[i].at, .iov_len = r[i].bytes};
    if (!asked) {
        refused = os_is_unikernel();
        asked = true;
    }
    if (!refused &&
        syscall(SYS_process_madvise, PIDFD_OF_THIS_PROCESS, v, count, MADV_DONTNEED, 0) >= 0)
        return OS_RANGES_MAX;
    refused = true;
#endif
    for (unsigned i = 0; i < count; i++)
        os_discard(r[i].at, r[i].bytes);
    return 1;
}

void
os_populate(void *p, size_t bytes)
{
    static _Atomic bool refused;

    if (!refused && (madvise(p, bytes, MADV_POPULATE_WRITE) == 0 || errno != EINVAL))
        return;
    /* before Linux 5.14, and on other systems */
    refused = true;
#ifndef STILLFRAME_BARRIER
    os_touch(p, bytes); /* with it, pages may be read-only at any moment */
#endif
}

/* A byte that is not zero has memory already; one that is becomes zero again, unless somebody else
 * writes to it first: an exchange is one step.  Sanitizers would report the race that this is. */
__attribute__((no_sanitize("thread", "address"))) void
os_touch(void *p, size_t bytes)
{
    const size_t page = 4096;

    for (size_t at = 0; at < bytes; at += page) {
        char zero = 0;

        (void)__atomic_compare_exchange_n((char *)p + at, &zero, 0, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
    }
}

void
os_drop_cache(int fd, uint64_t from, uint64_t bytes)
{
    typedef int (*fadvise_fn)(int fd, off_t from, off_t bytes, int advice);
    /* looked up: not every system has it */
    fadvise_fn f = (fadvise_fn)dlsym(RTLD_DEFAULT, "posix_fadvise");

    if (f != NULL)
        (void)f(fd, (off_t)from, (off_t)bytes, POSIX_FADV_DONTNEED);
}

int
os_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    r = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return r;
}

int
os_protect(void *p, size_t bytes, bool writable)
{
    return mprotect(p, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0 ? 0 : -errno;
}

#ifdef STILLFRAME_BARRIER
int
os_reserve_twice(size_t bytes, void **ret_first, void **ret_second)
{
    void *a, *b;
    int fd = memfd_create("arena", MFD_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)bytes) < 0) {
        r = -errno;
        goto close_fd;
    }
    a = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    b = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (a == MAP_FAILED || b == MAP_FAILED) {
        r = -errno;
        if (a != MAP_FAILED)
            (void)munmap(a, bytes);
        goto close_fd;
    }
    *ret_first = a;
    *ret_second = b;
close_fd:
    (void)close(fd);
    return r;
}
#endif

/* OSv's kernel is in the program's address space and exports this function: the release, as in
 * "v0.57.0", in memory that is the caller's. */
typedef char *(*osv_version_fn)(void);

static osv_version_fn
osv_version(void)
{
    return (osv_version_fn)dlsym(RTLD_DEFAULT, "osv_version");
}

const char *
os_name(void)
{
    return osv_version() != NULL ? "OSv" : NULL;
}

void
os_identity(char *ret, size_t room)
{
    struct utsname u;
    char *version;

    ret[0] = '\0';
    if (uname(&u) < 0)
        return;
    if (os_name() == NULL) {
        snprintf(ret, room, "%s %s %s", u.sysname, u.release, u.machine);
        return;
    }
    version = osv_version()();
    snprintf(ret, room, "%s %s %s", os_name(), version == NULL ? "" : version + (version[0] == 'v'),
             u.machine);
    free(version);
}

bool
os_is_unikernel(void)
{
    return os_name() != NULL;
}

size_t
os_free_bytes(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? (size_t)info.freeram * info.mem_unit : 0;
}

size_t
os_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0;
}

size_t
os_address_limit(void)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_AS, &rl) < 0 || rl.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return (size_t)rl.rlim_cur;
}

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
os_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

unsigned
os_cores(void)
{
    cpu_set_t set;
    long n;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

static int64_t
timeval_us(const struct timeval *tv)
{
    return (int64_t)tv->tv_sec * 1000000 + tv->tv_usec;
}

static struct os_cpu
cpu_of(int who)
{
    struct rusage u = {0};

    (void)getrusage(who, &u);
    return (struct os_cpu){.user_us = timeval_us(&u.ru_utime),
                           .system_us = timeval_us(&u.ru_stime),
                           .is_split = os_name() == NULL};
}

struct os_cpu
os_cpu_of_process(void)
{
    return cpu_of(RUSAGE_SELF);
}

/* On OSv RUSAGE_THREAD means all threads of the machine, those that idle among them. */
struct os_cpu
os_cpu_of_thread(void)
{
    return os_name() == NULL ? cpu_of(RUSAGE_THREAD)
                             : (struct os_cpu){.user_us = clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1000};
}

/* The system has refused the batch class.  OSv has one class but for real time, and gives a thread
 * that has slept long the processor for as long as others had it meanwhile: a sweeper that wakes up
 * beside a busy loop kept it for 30 to 80 ms. */
static atomic_bool lacks_batch;

/* Two measures: a thread of the batch class does not push another off its processor when it wakes
 * up, and a higher nice value makes its share smaller where all processors are busy.  On Linux nice
 * is each thread's own. */
void
os_thread_background(void)
{
    enum { NICE = 5 }; /* a third of an ordinary thread's share */

#ifdef SCHED_BATCH
    if (pthread_setschedparam(pthread_self(), SCHED_BATCH,
                              &(struct sched_param){.sched_priority = 0}) != 0)
        atomic_store_explicit(&lacks_batch, true, memory_order_relaxed);
#endif
    /* by number: not every system has the function */
    (void)syscall(SYS_setpriority, PRIO_PROCESS, (int)syscall(SYS_gettid), NICE);
}

/* A sleep, since who gives way goes on when nobody waits but another of its kind. */
void
os_thread_woken(void)
{
    if (atomic_load_explicit(&lacks_batch, memory_order_relaxed))
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void
os_thread_give_way(void)
{
    if (atomic_load_explicit(&lacks_batch, memory_order_relaxed))
        (void)sched_yield();
}

void
os_thread_name(const char *name)
{
    (void)syscall(SYS_prctl, PR_SET_NAME, name, 0L, 0L, 0L); /* by number, as above */
}

int64_t
os_monotonic_us(void)
{
    return os_monotonic_ns() / 1000;
}

int64_t
os_unix_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}
