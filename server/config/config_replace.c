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

static int
write_temp(const char *temp, const struct text *t, mode_t mode)
{
    int fd, r;

    unlink(temp);
    if ((fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return -errno;
    /* Before the fsync, which makes the mode durable with the bytes. */
    r = fchmod(fd, mode & 07777) < 0 ? -errno : write_all(fd, t);
    close(fd);
    return r;
}

/* give_up: the new file goes. */
static int
give_up(const char *temp, const char *dir, int r)
{
    if (unlink(temp) == 0 && os_name() != NULL)
        (void)os_sync_dir(dir); /* nothing else would write that it has gone */
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
    char dir[PATH_MAX], temp[PATH_MAX + 64];
    const char *slash = strrchr(path, '/');
    struct stat st = {.st_mode = mode};
    int r;

    if (stat(path, &st) < 0 && errno != ENOENT)
        return -errno;
    snprintf(dir, sizeof dir, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 2,
             slash != NULL ? path : "./");
    snprintf(temp, sizeof temp, "%s.stillframe-%d.conf", dir, (int)getpid());
    if ((r = write_temp(temp, t, st.st_mode)) < 0 ||
        (r = set_aside_replace(temp, path, os_name() != NULL)) < 0)
        return give_up(temp, dir, r);
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
