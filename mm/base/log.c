/* mm/base/log.c - the server's log.  One write per line, of less than a pipe takes at once: lines
 * of two threads do not mix. */
#include "mm/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/os.h"

enum { LINE_MAX_BYTES = 1024 };

static char log_path[PATH_MAX]; /* [const after log_open] "": standard output */
static atomic_int min_level = LOG_NOTICE;
static pthread_t main_thread; /* [const after log_open] */
static bool opened;
/* A descriptor that the log lends itself when the process may have no more; -1: it is lent. */
static atomic_int spare_fd = -1;

static int
open_log(void)
{
    return open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* keep_spare: any file will do; the log's own would be kept from being rotated away. */
static void
keep_spare(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        atomic_store_explicit(&spare_fd, fd, memory_order_relaxed);
}

/* open_log_with_spare: also where all descriptors are taken: what fails then is told. */
static int
open_log_with_spare(bool *ret_lent)
{
    int fd = open_log(), spare;

    *ret_lent = false;
    if (fd >= 0 || errno != EMFILE)
        return fd;
    if ((spare = atomic_exchange_explicit(&spare_fd, -1, memory_order_relaxed)) < 0)
        return -1;
    close(spare);
    *ret_lent = true;
    return open_log();
}

int
log_open(const char *path)
{
    int fd;

    if (strlen(path) >= sizeof log_path)
        return -ENAMETOOLONG;
    strcpy(log_path, path);
    main_thread = pthread_self();
    opened = true;
    if (path[0] == '\0')
        return 0;
    if ((fd = open_log()) < 0)
        return -errno;
    close(fd);
    keep_spare();
    must_tell_too = log_from_signal;
    return 0;
}

void
log_set_level(enum log_level level)
{
    atomic_store_explicit(&min_level, (int)level, memory_order_relaxed);
}

static void
put_line(const char *line, size_t len)
{
    bool lent = false;
    int fd = log_path[0] != '\0' ? open_log_with_spare(&lent) : STDOUT_FILENO;
    ssize_t n;

    /* A log that cannot be written cannot be complained about; one that is nearly full gets what it
     * takes. */
    while (fd >= 0 && len > 0 && ((n = write(fd, line, len)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        }
    if (fd >= 0 && fd != STDOUT_FILENO)
        close(fd);
    if (lent)
        keep_spare();
}

static size_t
put_head(char *line, size_t room, enum log_level level)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char role = !opened || pthread_equal(main_thread, pthread_self()) ? 'M' : 'C';
    int64_t ms = os_unix_ns() / 1000000;
    time_t s = (time_t)(ms / 1000);
    struct tm tm;

    localtime_r(&s, &tm);
    return (size_t)snprintf(line, room, "%d:%c %02d %s %d %02d:%02d:%02d.%03d %c ", (int)getpid(),
                            role, tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                            tm.tm_min, tm.tm_sec, (int)(ms % 1000), ".-*#"[level]);
}

/* What clients send and files are called may hold any byte: a line stays one, and a terminal as it
 * is. */
static void
mask_controls(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)at[i] < ' ' || at[i] == 0x7f)
            at[i] = '?';
}

void
log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    size_t head;
    va_list ap;
    int n;

    if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
        return;
    head = put_head(line, sizeof line, level);
    va_start(ap, format);
    n = vsnprintf(line + head, sizeof line - head - 1, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n > sizeof line - head - 2) {
        n = (int)(sizeof line - head - 2);
        memset(line + head + n - 3, '.', 3);
    }
    mask_controls(line + head, (size_t)n);
    line[head + (size_t)n] = '\n';
    put_line(line, head + (size_t)n + 1);
}

void
log_from_signal(const char *message)
{
    char line[LINE_MAX_BYTES], *p = num_put(line, getpid());
    size_t len = strlen(message);
    int saved = errno;

    memcpy(p, ":signal-handler (", 17);
    p = num_put(p + 17, os_unix_ns() / 1000000000);
    *p++ = ')';
    *p++ = ' ';
    if (len > 512)
        len = 512;
    memcpy(p, message, len);
    p[len] = '\n';
    put_line(line, (size_t)(p + len + 1 - line));
    errno = saved;
}

int
log_open_for_signal(void)
{
    return log_path[0] != '\0' ? open_log() : STDOUT_FILENO;
}
