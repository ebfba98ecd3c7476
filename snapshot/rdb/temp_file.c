/* snapshot/rdb/temp_file.c - temporary files: names, locks, removal.  The contract is in
 * temp_file.h. */
#include "snapshot/rdb/temp_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "mm/base/os.h"

static const struct form {
    const char *prefix, *suffix;
} forms[TEMP_NONE] = {
    [TEMP_DUMP] = {"temp-stillframe-", ".rdb"},
    [TEMP_CONF] = {".stillframe-", ".conf"},
};
enum { TAG_DIGITS = 16 };

/* A tag: what differs between two machines, two starts, two saves: mixed, not added. */
static uint64_t
new_tag(void)
{
    static _Atomic uint64_t saves;
    uint64_t x = atomic_fetch_add_explicit(&saves, 1, memory_order_relaxed);

    x = (x ^ (uint64_t)os_unix_ns()) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29 ^ (uint64_t)os_monotonic_ns()) * 0xbf58476d1ce4e5b9u;
    /* the loader's randomness */
    x = (x ^ x >> 32 ^ (uint64_t)(uintptr_t)&saves) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void
temp_file_name(enum temp_kind kind, char ret[TEMP_NAME_BYTES])
{
    snprintf(ret, TEMP_NAME_BYTES, "%s%ld-%0*llx%s", forms[kind].prefix, (long)getpid(), TAG_DIGITS,
             (unsigned long long)new_tag(), forms[kind].suffix);
    must(temp_file_kind(ret) ==
         kind); /* or nobody would ever remove what a killed process leaves */
}

static bool
has_form(const char *name, const struct form *f)
{
    size_t digits;

    if (strncmp(name, f->prefix, strlen(f->prefix)) != 0)
        return false;
    name += strlen(f->prefix);
    digits = strspn(name, "0123456789");
    if (digits == 0 || name[digits] != '-')
        return false;
    name += digits + 1;
    return strspn(name, "0123456789abcdef") == TAG_DIGITS &&
           strcmp(name + TAG_DIGITS, f->suffix) == 0;
}

enum temp_kind
temp_file_kind(const char *name)
{
    for (enum temp_kind k = 0; k < TEMP_NONE; k++)
        if (has_form(name, &forms[k]))
            return k;
    return TEMP_NONE;
}

/* lock: 0; -EWOULDBLOCK: somebody holds it; or another -errno: no locks here. */
static int
lock(int fd)
{
    typedef int (*flock_fn)(int fd, int operation);
    flock_fn f = (flock_fn)dlsym(RTLD_DEFAULT, "flock"); /* looked up: not every system has it */

    if (f == NULL)
        return -ENOSYS;
    return f(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int
temp_file_hold(int fd)
{
    struct stat st;

    if (lock(fd) == -EWOULDBLOCK)
        return -EAGAIN;
    return fstat(fd, &st) == 0 && st.st_nlink == 0 ? -EAGAIN : 0;
}

/* remove_locked: fd is the locked file of that path, unless that is another file's by now. */
static int
remove_locked(int fd, const char *path)
{
    struct stat open_one, named;

    if (fstat(fd, &open_one) < 0 || lstat(path, &named) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(named.st_mode) || named.st_dev != open_one.st_dev ||
        named.st_ino != open_one.st_ino)
        return 0;
    return unlink(path) < 0 ? -errno : 1;
}

int
temp_file_remove(const char *path)
{
    const char *slash = strrchr(path, '/');
    int fd, r;

    if (temp_file_kind(slash != NULL ? slash + 1 : path) == TEMP_NONE)
        return 0;
    /* For writing, though nothing is: over a network a lock that shuts others out wants that. */
    if ((fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
        return errno == ENOENT || errno == ELOOP || errno == EISDIR ? 0 : -errno;
    r = lock(fd) == 0 ? remove_locked(fd, path) : 0;
    (void)close(fd); /* nothing was written */
    return r;
}

static char noted[PATH_MAX];
static atomic_bool is_noted;

void
temp_file_note(const char *path)
{
    atomic_store_explicit(&is_noted, false, memory_order_relaxed);
    if (path == NULL || strlen(path) >= sizeof noted)
        return;
    memcpy(noted, path, strlen(path) + 1);
    atomic_store_explicit(&is_noted, true, memory_order_release);
}

void
temp_file_drop_noted(void)
{
    if (atomic_load_explicit(&is_noted, memory_order_acquire))
        (void)unlink(noted); /* the process ends: nobody is left to be told */
}
