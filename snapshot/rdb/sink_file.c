/* snapshot/rdb/sink_file.c - a dump file: temporary name, front to back, write-out on the way,
 * fsync, rename, fsync of the directory.  The contract is in sink.h.
 *
 * Write-out: each time writeout_bytes more are written, the kernel is asked to start writing that
 * window, and the window before it is waited for.  So the final fsync finds at most two windows of
 * dirty pages, and the disk is not stalled for others by one huge flush.  The wait may be what
 * notices a failed write, and it then takes the error away from the later fsync: an error here is
 * as final as one of fsync.
 *
 * Page cache: what has been waited for is on the disk, and nobody is going to read it soon: it
 * makes room for what others read.  So a save takes two windows of the cache, not its whole size;
 * and a verifier reads what the disk has. */
#include "snapshot/rdb/sink.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/spare.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/rdb/set_aside.h"
#include "snapshot/rdb/temp_file.h"

typedef int (*flush_range_fn)(int fd, off64_t offset, off64_t bytes, unsigned flags);

struct sink_file {
    struct sink sink; /* first: a sink of this kind is one */
    int fd;           /* -1: closed */
    int lock_fd;      /* the same file: what keeps its lock from close to rename; -1: closed */
    bool has_temp;    /* the temporary name exists and is ours to remove */
    bool has_aside;   /* the old file is set aside, until the new one's name is durable */
    char *path, *temp_path, *dir_path; /* [owned] */
    size_t dir_len;                    /* of path, with its slash */
    struct sink_file_options options;  /* but for the names */
    uint64_t written_bytes;            /* by write() */
    uint64_t started_bytes;            /* write-out was started up to here */
    uint64_t waited_bytes;             /* write-out has ended up to here */
    flush_range_fn flush_range;        /* NULL: this system has none */
};

/* write_once: write(), with its faults. */
static ssize_t
write_once(int fd, const uint8_t *p, size_t len, bool *is_full)
{
    if (*is_full) {
        errno = ENOSPC;
        return -1;
    }
    if (fault_point(FAULT_sink_write)) {
        errno = EIO;
        return -1;
    }
    if (fault_point(FAULT_sink_short_write)) {
        *is_full = true;
        len /= 2;
    }
    return write(fd, p, len);
}

static int
write_all(struct sink_file *f, const uint8_t *p, size_t len)
{
    bool is_full = false; /* by a fault point only */

    while (len > 0) {
        ssize_t n = write_once(f->fd, p, len, &is_full);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
            f->written_bytes += (uint64_t)n;
        }
    }
    return 0;
}

/* flush_range: 0 or -errno; what the system does not have or does not do for this file is no
 * error. */
static int
flush_range(struct sink_file *f, uint64_t from, uint64_t to, unsigned flags)
{
    int r;

    if (fault_point(FAULT_sink_flush_range))
        return -EIO;
    do
        r = f->flush_range(f->fd, (off64_t)from, (off64_t)(to - from), flags);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return 0;
    if (errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
        return -errno;
    f->flush_range = NULL;
    return 0;
}

/* drop_cache: of what is on the disk already; len 0: to the end. */
static void
drop_cache(const struct sink_file *f, uint64_t from, uint64_t len)
{
    if (!f->options.keeps_cache)
        os_drop_cache(f->lock_fd, from, len);
}

static int
write_out(struct sink_file *f)
{
    int r = 0;

    if (f->flush_range == NULL || f->options.writeout_bytes == 0 ||
        f->written_bytes - f->started_bytes < f->options.writeout_bytes)
        return 0;
    r = flush_range(f, f->started_bytes, f->written_bytes, SYNC_FILE_RANGE_WRITE);
    if (r == 0 && f->flush_range != NULL && f->started_bytes > f->waited_bytes)
        r = flush_range(f, f->waited_bytes, f->started_bytes,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
    if (r == 0 && f->flush_range != NULL && f->started_bytes > f->waited_bytes)
        drop_cache(f, f->waited_bytes, f->started_bytes - f->waited_bytes);
    f->waited_bytes = f->started_bytes;
    f->started_bytes = f->written_bytes;
    return r;
}

static int
file_write(struct sink *s, const void *bytes, size_t len)
{
    struct sink_file *f = (struct sink_file *)s;
    int r;

    if ((r = write_all(f, bytes, len)) < 0)
        sink_fail(s, r, "write");
    else if ((r = write_out(f)) < 0)
        sink_fail(s, r, "write-out");
    return r;
}

static int
sync_file(struct sink_file *f)
{
    if (fault_point(FAULT_sink_fsync))
        return -EIO;
    if (fsync(f->fd) < 0)
        return -errno; /* once, EINTR or not: a second one may say 0 for bytes that are lost */
    drop_cache(f, 0, 0);
    return 0;
}

static int
close_file(struct sink_file *f)
{
    int fd = f->fd, r;

    f->fd = -1;
    r = close(fd);
    if (fault_point(FAULT_sink_close))
        return -EIO;
    return r < 0 && errno != EINTR ? -errno : 0; /* Linux has closed it, EINTR or not */
}

/* open_dir: a descriptor or -errno. */
static int
open_dir(const struct sink_file *f)
{
    int fd;

    if (fault_point(FAULT_sink_dir_open))
        return -EMFILE;
    fd = open(f->dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* damage: for tests: a byte in the middle of the file is another one. */
static void
damage(const struct sink_file *f)
{
    int fd = open(f->temp_path, O_RDWR | O_CLOEXEC);
    off_t at = (off_t)(f->written_bytes / 2);
    uint8_t byte = 0;

    must(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0x10;
    must(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

static int
verify_file(struct sink_file *f)
{
    int r;

    if (fault_point(FAULT_sink_damage))
        damage(f);
    if (f->options.verify == NULL)
        return 0;
    r = f->options.verify(f->options.verify_ctx, f->temp_path, f->sink.failed_why,
                          sizeof f->sink.failed_why);
    drop_cache(f, 0, 0); /* what it has read */
    return r;
}

static int
rename_plainly(struct sink_file *f)
{
    int r = set_aside_replace(f->temp_path, f->path, f->options.sets_aside);

    if (r < 0)
        return r;
    f->has_aside = r > 0;
    f->has_temp = false;
    temp_file_note(NULL);
    return 0;
}

/* exchange_names: where there are no links the dump that goes is kept.  False: nothing was
 * changed. */
static bool
exchange_names(struct sink_file *f, int dir_fd)
{
    struct retained *kept = f->options.retained;
    int r = retained_exchange(f->temp_path, f->path);

    *kept = (struct retained){.error = r < 0 ? r : 0, .step = "link"};
    if (r <= 0)
        return false;
    if (retained_rename(dir_fd, f->temp_path, f->path, kept)) {
        f->has_temp = false; /* else it is removed, as the old dump always was */
        temp_file_note(NULL);
    }
    return true;
}

static int
rename_file(struct sink_file *f, int dir_fd)
{
    struct retained *kept = f->options.retained;
    int r;

    if (f->options.retain == 0)
        return rename_plainly(f);
    *kept = (struct retained){.is_careful = f->options.sets_aside};
    if (f->options.sets_aside)
        return rename_plainly(f); /* the dump that goes is kept, later */
    if (!retained_link(dir_fd, f->temp_path, f->path, kept) && kept->error == -EOPNOTSUPP &&
        exchange_names(f, dir_fd))
        return 0;
    if ((r = rename_plainly(f)) < 0 && kept->name[0] != '\0')
        retained_unlink(dir_fd, kept);
    return r;
}

static int
sync_dir(int fd)
{
    if (fault_point(FAULT_sink_dir_fsync))
        return -EIO;
    /* A file system that does not sync directories says so in these ways; there is nothing more to
     * be done there. */
    return fsync(fd) < 0 && errno != EINVAL && errno != EBADF && errno != ENOSYS ? -errno : 0;
}

/* end_aside: what was set aside is kept, or goes. */
static void
end_aside(struct sink_file *f, int dir_fd)
{
    char aside[PATH_MAX];
    bool is_kept = f->options.retain > 0 && set_aside_name(aside, f->path) == 0 &&
                   retained_rename(dir_fd, aside, f->path, f->options.retained);

    if (is_kept || set_aside_remove(f->path) == 0) /* else the next save, or start, does */
        (void)fsync(dir_fd);
}

static int
end_in_dir(struct sink_file *f, int dir_fd, const char **ret_step)
{
    int r;

    *ret_step = "rename";
    if ((r = rename_file(f, dir_fd)) < 0)
        return r;
    *ret_step = "directory fsync";
    if ((r = sync_dir(dir_fd)) < 0)
        return r;
    if (f->has_aside)
        end_aside(f, dir_fd);
    /* The names of those that go need not be gone for good before the next save. */
    if (f->options.retain > 0 &&
        retained_prune(dir_fd, f->path, f->options.retain, f->options.retained))
        (void)fsync(dir_fd);
    return 0;
}

/* commit_steps: all that can fail without touching the old file comes before the rename. */
static int
commit_steps(struct sink_file *f, const char **ret_step)
{
    int r, dir_fd;

    *ret_step = "fsync";
    if ((r = sync_file(f)) < 0)
        return r;
    *ret_step = "close";
    if ((r = close_file(f)) < 0)
        return r;
    *ret_step = "verify";
    if ((r = verify_file(f)) < 0)
        return r;
    *ret_step = "directory open";
    if ((r = dir_fd = open_dir(f)) < 0)
        return r;
    r = end_in_dir(f, dir_fd, ret_step);
    close(dir_fd); /* opened for reading: it has nothing to lose */
    return r;
}

static int
file_commit(struct sink *s)
{
    struct sink_file *f = (struct sink_file *)s;
    const char *step;
    int r;

    must(f->fd >= 0);
    r = commit_steps(f, &step);
    return r < 0 ? sink_fail(s, r, step) : 0;
}

static void
file_free(struct sink_file *f)
{
    spare_give(f->sink.buf, SINK_BUFFER_BYTES);
    free(f->path);
    free(f->temp_path);
    free(f->dir_path);
    free(f);
}

static void
file_close(struct sink *s)
{
    struct sink_file *f = (struct sink_file *)s;

    if (f->fd >= 0)
        close(f->fd); /* not committed: what it says does not matter */
    if (f->has_temp)
        unlink(f->temp_path);
    temp_file_note(NULL);
    if (f->lock_fd >= 0)
        close(f->lock_fd); /* nothing was written through it */
    if (f->has_temp && f->options.sets_aside)
        (void)os_sync_dir(f->dir_path); /* else the next start finds it again */
    file_free(f);
}

static const struct sink_ops file_ops = {file_write, file_commit, file_close};

/* set_paths: 0 or -ENOMEM. */
static int
set_paths(struct sink_file *f, const struct sink_file_options *opt)
{
    const char *slash = strrchr(opt->path, '/');
    size_t dir_len = slash == NULL ? 0 : (size_t)(slash - opt->path) + 1; /* with its slash */

    f->path = strdup(opt->path);
    f->dir_path = dir_len == 0 ? strdup(".") : strndup(opt->path, dir_len);
    f->dir_len = dir_len;
    return f->path == NULL || f->dir_path == NULL ? -ENOMEM : 0;
}

static void
close_temp(struct sink_file *f)
{
    if (f->fd >= 0)
        close(f->fd); /* nothing was written */
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    f->fd = f->lock_fd = -1;
}

/* open_temp: under this name.  0 or -errno; -EAGAIN: try another name. */
static int
open_temp(struct sink_file *f, const char *name)
{
    int r;

    free(f->temp_path);
    if (asprintf(&f->temp_path, "%.*s%s", (int)f->dir_len, f->path, name) < 0) {
        f->temp_path = NULL;
        return -ENOMEM;
    }
    if (fault_point(FAULT_sink_open))
        return -EACCES;
    unlink(f->temp_path); /* if it fails for more than "no such file", open says so */
    if ((f->fd = open(f->temp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
        return -errno;
    f->lock_fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    r = f->lock_fd < 0 ? -errno : temp_file_hold(f->fd);
    if (r < 0) {
        if (r != -EAGAIN) /* else its name is another's business now */
            unlink(f->temp_path);
        close_temp(f);
        return r;
    }
    f->has_temp = true;
    temp_file_note(f->temp_path);
    return 0;
}

/* open_some_temp: one whose name nobody has, if none was given. */
static int
open_some_temp(struct sink_file *f, const char *given)
{
    enum { TRIES = 8 };
    char name[TEMP_NAME_BYTES];
    int r = -EAGAIN;

    for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
        temp_file_name(TEMP_DUMP, name);
        r = open_temp(f, given != NULL ? given : name);
    }
    return r;
}

/* warn_of_room: the old dump is there until the new one is whole, so that both need room. */
static void
warn_of_room(const struct sink_file *f)
{
    struct statvfs fs;
    uint64_t free_bytes;

    if (f->options.expected_bytes == 0 || fstatvfs(f->fd, &fs) < 0 || fs.f_frsize == 0)
        return;
    free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes < f->options.expected_bytes)
        log_line(
            LOG_WARNING,
            "The file system of %s has %llu MB free, and the new dump is expected to have about %llu MB: this save may fail for want of room",
            f->path, (unsigned long long)(free_bytes / 1000000),
            (unsigned long long)(f->options.expected_bytes / 1000000));
}

int
sink_file_open(const struct sink_file_options *opt, struct sink **ret)
{
    struct sink_file *f;
    int r = -ENOMEM;

    if (opt->temp_name != NULL && strchr(opt->temp_name, '/') != NULL)
        /* it would not be in the same directory, perhaps not on the same file system */
        return -EINVAL;
    must(opt->retain == 0 || opt->retained != NULL);
    if ((f = calloc(1, sizeof *f)) == NULL)
        return -ENOMEM;
    f->fd = f->lock_fd = -1;
    if (!fault_point(FAULT_sink_buffer))
        f->sink.buf = spare_take(SINK_BUFFER_BYTES);
    if (f->sink.buf == NULL || (r = set_paths(f, opt)) < 0 ||
        (r = open_some_temp(f, opt->temp_name)) < 0) {
        file_free(f);
        return r;
    }
    f->sink.ops = &file_ops;
    f->sink.capacity_bytes = SINK_BUFFER_BYTES;
    f->options = *opt;
    f->options.path = f->options.temp_name = NULL; /* the caller's */
    f->flush_range =
        /* looked up: not every system has it */
        (flush_range_fn)dlsym(RTLD_DEFAULT, "sync_file_range");
    warn_of_room(f);
    *ret = &f->sink;
    return 0;
}
