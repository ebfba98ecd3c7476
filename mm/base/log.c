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

static int
open_log(void)
{
    return open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
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
    int fd = log_path[0] != '\0' ? open_log() : STDOUT_FILENO;
    ssize_t n;

    if (fd < 0)
        return;
    /* A log that cannot be written cannot be complained about; one that is nearly full gets what it
     * takes. */
    while (len > 0 && ((n = write(fd, line, len)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        }
    if (fd != STDOUT_FILENO)
        close(fd);
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
