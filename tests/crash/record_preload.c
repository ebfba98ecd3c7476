/* tests/crash/record_preload.c - LD_PRELOAD: what a program does to files below a directory, one
 * record a call, in the order in which the calls were made.
 *
 *   RECORD_DIR      the directory
 *   RECORD_TRACE    the file of records, to which others may append theirs (disk.py reads it)
 *   RECORD_WITHOUT  "file" or "directory": fsync() of such a thing is not done and not recorded;
 *                   what a wrong program would be
 *   RECORD_EIO      while a file of that name is there, fsync() of a file fails with EIO
 *
 * A record is a struct record, two names below the directory, and the bytes of a write. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAGIC = 0x44434552, EXCHANGE = 2 };

struct record {
    uint32_t magic, mode; /* mode: of create and chmod */
    char kind[16];
    uint64_t inode;  /* of the file; of an fsync also a directory's */
    uint64_t offset; /* of a write; the size of a truncation */
    uint32_t bytes;  /* of a write */
    uint16_t name_bytes, other_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a call and its record are one step */
static char directory[PATH_MAX];                         /* "": nothing is recorded */
static size_t directory_bytes;
static int trace_fd = -1;
static int is_ours[1024]; /* descriptors of what is below the directory */

__attribute__((constructor)) static void
begin(void)
{
    const char *dir = getenv("RECORD_DIR"), *trace = getenv("RECORD_TRACE");

    if (dir == NULL || trace == NULL)
        return;
    trace_fd = open(trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (trace_fd < 0 || realpath(dir, directory) == NULL)
        abort();
    directory_bytes = strlen(directory);
}

/* below: the path as seen from the directory; NULL: it is elsewhere.  What the path names need not
 * be there, its directory must. */
static const char *
below(int dir_fd, const char *path, char ret[PATH_MAX])
{
    char joined[2 * PATH_MAX], link[64];
    const char *base;
    char *slash;
    int saved = errno;

    if (directory_bytes == 0)
        return NULL;
    if (path[0] == '/' || dir_fd == AT_FDCWD) {
        snprintf(joined, sizeof joined, "%s%s", path[0] == '/' ? "" : "./", path);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
        snprintf(joined, sizeof joined, "%s/%s", link, path);
    }
    slash = strrchr(joined, '/');
    *slash = '\0';
    base = slash + 1;
    if (realpath(joined[0] != '\0' ? joined : "/", ret) == NULL) {
        errno = saved;
        return NULL;
    }
    errno = saved;
    if (strncmp(ret, directory, directory_bytes) != 0 ||
        (ret[directory_bytes] != '/' && ret[directory_bytes] != '\0') ||
        strlen(ret) + strlen(base) + 2 > PATH_MAX)
        return NULL;
    strcat(ret, "/");
    strcat(ret, base);
    return ret + directory_bytes + 1;
}

static uint64_t
inode_of(const char *path, uint32_t *ret_mode)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return 0;
    if (ret_mode != NULL)
        *ret_mode = st.st_mode;
    return st.st_ino;
}

/* piece: of what is written; nobody changes it. */
static struct iovec
piece(const void *bytes, size_t len)
{
    struct iovec v = {.iov_len = len};

    memcpy(&v.iov_base, &bytes, sizeof bytes);
    return v;
}

/* put: with the lock held. */
static void
put(const char *kind, uint64_t inode, uint32_t mode, uint64_t offset, const char *name,
    const char *other, const void *bytes, size_t len)
{
    struct record r = {.magic = MAGIC, .mode = mode, .inode = inode, .offset = offset};
    struct iovec parts[4];
    size_t all = 0;
    int saved = errno;

    snprintf(r.kind, sizeof r.kind, "%s", kind);
    r.bytes = (uint32_t)len;
    r.name_bytes = (uint16_t)strlen(name);
    r.other_bytes = (uint16_t)strlen(other);
    parts[0] = piece(&r, sizeof r);
    parts[1] = piece(name, r.name_bytes);
    parts[2] = piece(other, r.other_bytes);
    parts[3] = piece(bytes, len);
    for (int i = 0; i < 4; i++)
        all += parts[i].iov_len;
    if (syscall(SYS_writev, trace_fd, parts, 4) != (long)all)
        abort();
    errno = saved;
}

/* of_ours: the inode behind a descriptor, 0: nothing that is recorded. */
static uint64_t
of_ours(int fd, mode_t *ret_mode)
{
    struct stat st;
    int saved = errno, is_known = fd >= 0 && fd < 1024 && is_ours[fd] && fstat(fd, &st) == 0;

    errno = saved;
    if (!is_known || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    *ret_mode = st.st_mode;
    return st.st_ino;
}

/* ---- opening ---- */

static int
open_recorded(int dir_fd, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    const char *name = below(dir_fd, path, full);
    uint64_t before = 0;
    struct stat st;
    int fd;

    pthread_mutex_lock(&lock);
    if (name != NULL)
        before = inode_of(full, NULL);
    fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    if (fd >= 0 && fd < 1024)
        is_ours[fd] = name != NULL;
    if (fd >= 0 && name != NULL && fstat(fd, &st) == 0) {
        if (before == 0 && S_ISREG(st.st_mode))
            put("create", st.st_ino, st.st_mode, 0, name, "", NULL, 0);
        else if ((flags & O_TRUNC) != 0 && S_ISREG(st.st_mode))
            put("truncate", st.st_ino, 0, 0, "", "", NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

int
open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    va_start(ap, flags);
    if ((flags & (O_CREAT | O_TMPFILE)) != 0)
        mode = va_arg(ap, mode_t);
    va_end(ap);
    return open_recorded(AT_FDCWD, path, flags, mode);
}

int
openat(int dir_fd, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    va_start(ap, flags);
    if ((flags & (O_CREAT | O_TMPFILE)) != 0)
        mode = va_arg(ap, mode_t);
    va_end(ap);
    return open_recorded(dir_fd, path, flags, mode);
}

/* ---- bytes ---- */

ssize_t
write(int fd, const void *bytes, size_t len)
{
    mode_t mode;
    uint64_t inode = of_ours(fd, &mode);
    ssize_t n;

    if (inode == 0)
        return syscall(SYS_write, fd, bytes, len);
    pthread_mutex_lock(&lock);
    n = syscall(SYS_write, fd, bytes, len);
    if (n > 0)
        put("write", inode, 0, (uint64_t)(lseek(fd, 0, SEEK_CUR) - n), "", "", bytes, (size_t)n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    mode_t mode;
    uint64_t inode = of_ours(fd, &mode);
    ssize_t n;

    if (inode == 0)
        return syscall(SYS_pwrite64, fd, bytes, len, at);
    pthread_mutex_lock(&lock);
    n = syscall(SYS_pwrite64, fd, bytes, len, at);
    if (n > 0)
        put("write", inode, 0, (uint64_t)at, "", "", bytes, (size_t)n);
    pthread_mutex_unlock(&lock);
    return n;
}

int
ftruncate(int fd, off_t size)
{
    mode_t mode;
    uint64_t inode = of_ours(fd, &mode);
    int r;

    pthread_mutex_lock(&lock);
    r = (int)syscall(SYS_ftruncate, fd, size);
    if (r == 0 && inode != 0)
        put("truncate", inode, 0, (uint64_t)size, "", "", NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

int
fchmod(int fd, mode_t to)
{
    mode_t mode;
    uint64_t inode = of_ours(fd, &mode);
    int r;

    pthread_mutex_lock(&lock);
    r = (int)syscall(SYS_fchmod, fd, to);
    if (r == 0 && inode != 0)
        put("chmod", inode, (mode & S_IFMT) | to, 0, "", "", NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

static int
sync_recorded(int fd, long call)
{
    const char *without = getenv("RECORD_WITHOUT"), *eio = getenv("RECORD_EIO");
    mode_t mode = 0;
    uint64_t inode = of_ours(fd, &mode);
    const char *kind = S_ISDIR(mode) ? "directory" : "file";
    int r;

    if (inode == 0)
        return (int)syscall(call, fd);
    if (without != NULL && strcmp(without, kind) == 0)
        return 0;
    pthread_mutex_lock(&lock);
    if (eio != NULL && S_ISREG(mode) && access(eio, F_OK) == 0) {
        put("sync failed", inode, mode, 0, "", "", NULL, 0);
        errno = EIO;
        r = -1;
    } else if ((r = (int)syscall(call, fd)) == 0) {
        put("sync", inode, mode, 0, "", "", NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

int
fsync(int fd)
{
    return sync_recorded(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
    return sync_recorded(fd, SYS_fdatasync);
}

/* ---- names ---- */

typedef long (*name_fn)(int from_dir, const char *from, int to_dir, const char *to, unsigned how);

/* name_recorded: a call with one or two names, of which the first is of something that is there. */
static int
name_recorded(const char *kind, int from_dir, const char *from, int to_dir, const char *to,
              name_fn call, unsigned how)
{
    char from_full[PATH_MAX], to_full[PATH_MAX];
    const char *from_name = below(from_dir, from, from_full), *to_name = "";
    uint64_t inode = 0;
    uint32_t mode = 0;
    int r;

    if (to != NULL && (to_name = below(to_dir, to, to_full)) == NULL)
        from_name = NULL;
    pthread_mutex_lock(&lock);
    if (from_name != NULL)
        inode = inode_of(from_full, &mode);
    r = (int)call(from_dir, from, to_dir, to, how);
    if (r == 0 && from_name != NULL)
        put(kind, inode, mode, 0, from_name, to_name, NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

static long
call_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned how)
{
    return syscall(SYS_renameat2, from_dir, from, to_dir, to, how);
}

static long
call_link(int from_dir, const char *from, int to_dir, const char *to, unsigned how)
{
    return syscall(SYS_linkat, from_dir, from, to_dir, to, how);
}

static long
call_unlink(int from_dir, const char *from, int to_dir, const char *to, unsigned how)
{
    (void)to_dir;
    (void)to;
    return syscall(SYS_unlinkat, from_dir, from, how);
}

int
rename(const char *from, const char *to)
{
    return name_recorded("rename", AT_FDCWD, from, AT_FDCWD, to, call_rename, 0);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return name_recorded("rename", from_dir, from, to_dir, to, call_rename, 0);
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned how)
{
    return name_recorded((how & EXCHANGE) != 0 ? "exchange" : "rename", from_dir, from, to_dir, to,
                         call_rename, how);
}

int
link(const char *from, const char *to)
{
    return name_recorded("link", AT_FDCWD, from, AT_FDCWD, to, call_link, 0);
}

int
linkat(int from_dir, const char *from, int to_dir, const char *to, int how)
{
    return name_recorded("link", from_dir, from, to_dir, to, call_link, (unsigned)how);
}

int
unlink(const char *path)
{
    return name_recorded("unlink", AT_FDCWD, path, 0, NULL, call_unlink, 0);
}

int
unlinkat(int dir_fd, const char *path, int how)
{
    return name_recorded("unlink", dir_fd, path, 0, NULL, call_unlink, (unsigned)how);
}
