/* server/config/config_replace.c - a file that is written anew takes the old one's place in one
 * step: the configuration's, the users'. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "snapshot/rdb/set_aside.h"
#include "snapshot/rdb/temp_file.h"

static int
write_all(int fd, const struct text *t)
{
    for (size_t done = 0; done < t->len;) {
        ssize_t n = write(fd, t->at + done, t->len - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* give_up: the new file goes. */
static void
give_up(const char *temp, const char *dir)
{
    if (unlink(temp) == 0 && os_name() != NULL)
        (void)os_sync_dir(dir); /* nothing else would write that it has gone */
}

/* make_temp: a file of a name that nobody has, which says whose it is (temp_file.h).  The
 * descriptor, which holds it, or -errno. */
static int
make_temp(const char *dir, char *ret_path, size_t room)
{
    enum { TRIES = 8 };
    char name[TEMP_NAME_BYTES];
    int fd;

    for (int i = 0; i < TRIES; i++) {
        temp_file_name(TEMP_CONF, name);
        snprintf(ret_path, room, "%s%s", dir, name);
        if ((fd = open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
            return -errno;
        if (temp_file_hold(fd) == 0)
            return fd;
        close(fd); /* its name is another's business now */
    }
    return -EAGAIN;
}

/* write_temp: the descriptor of a new file that holds t, or -errno: there is none. */
static int
write_temp(const char *dir, const struct text *t, mode_t mode, char *ret_path, size_t room)
{
    int fd = make_temp(dir, ret_path, room), r;

    if (fd < 0)
        return fd;
    /* Before the fsync, which makes the mode durable with the bytes. */
    r = fchmod(fd, mode & 07777) < 0 ? -errno : write_all(fd, t);
    if (r == 0)
        return fd;
    give_up(ret_path, dir);
    close(fd);
    return r;
}

/* end_replaced: the new name is durable, then the old file goes for good. */
static int
end_replaced(const char *path, const char *dir, bool has_aside)
{
    int r = os_sync_dir(dir);

    if (r == 0 && has_aside && set_aside_remove(path) == 0) /* else the next one, or start, does */
        (void)os_sync_dir(dir);
    return r;
}

int
config_replace_file(const char *path, const struct text *t, unsigned mode)
{
    /* a name of its own: one made of the file's may be too long */
    char dir[PATH_MAX], temp[PATH_MAX + TEMP_NAME_BYTES];
    const char *slash = strrchr(path, '/');
    struct stat st = {.st_mode = mode};
    int fd, r;

    if (stat(path, &st) < 0 && errno != ENOENT)
        return -errno;
    snprintf(dir, sizeof dir, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 2,
             slash != NULL ? path : "./");
    if ((fd = write_temp(dir, t, st.st_mode, temp, sizeof temp)) < 0)
        return fd;
    r = set_aside_replace(temp, path, os_name() != NULL);
    if (r < 0)
        give_up(temp, dir);
    close(fd); /* not before it has its name, or a start might take it for a leftover */
    if (r < 0)
        return r;
    return end_replaced(path, dir, r > 0);
}

void
config_restore_file(const char *path)
{
    int r = os_name() != NULL ? set_aside_restore(path) : 0;

    if (r > 0)
        log_line(
            LOG_WARNING,
            "%s was not there: it was being written anew when the machine ended. The file from before has its name again.",
            path);
    else if (r < 0)
        log_line(LOG_WARNING, "Can't give the file from before its name %s: %s", path,
                 strerror(-r));
}
