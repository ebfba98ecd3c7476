/* tool/base/temp.c - files that appear when they are complete.
 *
 * The names in hand are a list, which the handler of signals walks.  Who changes it has the signals
 * blocked and holds a lock, for which a handler in another thread waits; the handler keeps it,
 * since the process ends. */
#include "tool/base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/must.h"

static struct tool_temp *temps; /* [lock: lock] */
static atomic_flag lock = ATOMIC_FLAG_INIT;

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP};
enum { DEADLY = sizeof deadly / sizeof *deadly };

static void
take_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        ; /* a few instructions, or the process ends */
}

static void
release_lock(void)
{
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

/* on_signal: nothing half done stays, then the signal does what it does. */
static void
on_signal(int number)
{
    take_lock();
    for (const struct tool_temp *t = temps; t != NULL; t = t->next)
        (void)unlink(t->temp_path);
    signal(number, SIG_DFL);
    raise(number);
}

/* watch_signals: once; what is ignored (nohup) stays so. */
static void
watch_signals(void)
{
    static bool is_watching;
    struct sigaction handle = {.sa_handler = on_signal}, before;

    if (is_watching)
        return;
    is_watching = true;
    for (unsigned i = 0; i < DEADLY; i++)
        sigaddset(&handle.sa_mask, deadly[i]);
    for (unsigned i = 0; i < DEADLY; i++)
        if (sigaction(deadly[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(deadly[i], &handle, NULL);
}

void
tool_temp_hold(sigset_t *ret_before)
{
    sigset_t blocked;

    sigemptyset(&blocked);
    for (unsigned i = 0; i < DEADLY; i++)
        sigaddset(&blocked, deadly[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, ret_before);
}

void
tool_temp_release(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* begin, end: of a change of the list, and of the file that it is about. */
static void
begin_change(sigset_t *ret_before)
{
    tool_temp_hold(ret_before);
    take_lock();
}

static void
end_change(const sigset_t *before)
{
    release_lock();
    tool_temp_release(before);
}

static void
forget(struct tool_temp *t)
{
    struct tool_temp **link = &temps;

    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
}

/* directory_bytes: of path, its slash included; 0: none. */
static size_t
directory_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : (size_t)(slash + 1 - path);
}

/* make: a new file beside t->path; O_EXCL finds what others have left. */
static int
make(struct tool_temp *t)
{
    enum { NAME_BYTES = 64, TRIES = 10000 };
    size_t dir = directory_bytes(t->path), room = dir + NAME_BYTES;
    static unsigned next;

    if ((t->temp_path = malloc(room)) == NULL)
        return -ENOMEM;
    memcpy(t->temp_path, t->path, dir);
    for (unsigned i = 0; i < TRIES; i++) {
        snprintf(t->temp_path + dir, NAME_BYTES, ".stillframe-rdb-%ld-%u.tmp", (long)getpid(),
                 next++);
        if ((t->fd = open(t->temp_path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666)) >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return -errno;
}

static int
open_beside(struct tool_temp *t)
{
    sigset_t before;
    int r;

    watch_signals();
    begin_change(&before);
    if ((r = make(t)) == 0) {
        t->next = temps;
        temps = t;
    }
    end_change(&before);
    return r;
}

/* open_as_it_is: a device or a pipe. */
static int
open_as_it_is(struct tool_temp *t)
{
    t->fd = open(t->path, O_WRONLY | O_CLOEXEC);
    return t->fd < 0 ? -errno : 0;
}

static int
open_path(struct tool_temp *t, const char *path, bool force)
{
    struct stat st;
    bool is_there = stat(path, &st) == 0;

    if (!is_there && errno != ENOENT)
        return -errno;
    if (is_there && S_ISDIR(st.st_mode))
        return -EISDIR;
    if (is_there && S_ISREG(st.st_mode) && !force)
        return -EEXIST;
    /* a link's file is replaced, not the link */
    t->path = is_there && S_ISREG(st.st_mode) ? realpath(path, NULL) : strdup(path);
    if (t->path == NULL)
        return -errno;
    return is_there && !S_ISREG(st.st_mode) ? open_as_it_is(t) : open_beside(t);
}

static void
free_names(struct tool_temp *t)
{
    free(t->path);
    free(t->temp_path);
    t->path = t->temp_path = NULL;
}

int
tool_temp_open(struct tool_temp *t, const char *path, bool force)
{
    int r;

    *t = (struct tool_temp){.fd = -1, .force = force};
    if ((r = open_path(t, path, force)) != 0)
        free_names(t);
    return r;
}

/* give_name: the last step. */
static int
give_name(const struct tool_temp *t)
{
    if (!t->force) {
        if (renameat2(AT_FDCWD, t->temp_path, AT_FDCWD, t->path, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EINVAL && errno != ENOSYS) /* not every file system can do that */
            return -errno;
        if (access(t->path, F_OK) == 0)
            return -EEXIST;
    }
    return rename(t->temp_path, t->path) == 0 ? 0 : -errno;
}

/* sync_directory: a name that is not on the disk is none after a crash.  The temporary one, in the
 * same directory, is over: nothing that could fail for want of memory stands behind the
 * renaming. */
static int
sync_directory(const struct tool_temp *t)
{
    size_t len = directory_bytes(t->path);
    const char *dir = len == 0 ? "." : t->temp_path;
    int fd, r = 0;

    t->temp_path[len] = '\0';
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        r = -errno;
    if (fd >= 0)
        close(fd);
    return r;
}

static int
finish_file(struct tool_temp *t)
{
    int r = fsync(t->fd) == 0 ? 0 : -errno;
    int fd = t->fd;

    t->fd = -1;
    if (close(fd) != 0 && r == 0)
        r = -errno;
    return r;
}

int
tool_temp_commit(struct tool_temp *t)
{
    sigset_t before;
    int r;

    must(t->path != NULL);
    if (t->temp_path == NULL) {
        tool_temp_drop(t);
        return 0;
    }
    if ((r = finish_file(t)) == 0) {
        begin_change(&before);
        if ((r = give_name(t)) == 0)
            forget(t);
        end_change(&before);
    }
    if (r != 0) {
        tool_temp_drop(t);
        return r;
    }
    r = sync_directory(t);
    free_names(t);
    return r;
}

void
tool_temp_drop(struct tool_temp *t)
{
    sigset_t before;

    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    if (t->temp_path != NULL) {
        begin_change(&before);
        (void)unlink(t->temp_path);
        forget(t);
        end_change(&before);
    }
    free_names(t);
}
