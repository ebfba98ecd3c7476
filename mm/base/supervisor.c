/* mm/base/supervisor.c - datagrams to a service manager. */
#include "mm/base/supervisor.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int fd = -1;

/* address_of: the length of the address; 0: it is none.  A name that begins with "@" is not of the
 * file system: its first byte is zero. */
static socklen_t
address_of(const char *name, struct sockaddr_un *ret)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof ret->sun_path)
        return 0;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, len);
    if (name[0] == '@')
        ret->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

int
supervisor_open(void)
{
    const struct timeval patience = {.tv_sec = 1};
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to;
    socklen_t len;
    int error;

    if (name == NULL)
        return 0;
    if ((len = address_of(name, &to)) == 0)
        return -EINVAL;
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&to, len) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0)
        return 1;
    error = errno;
    close(fd);
    fd = -1;
    return -error;
}

bool
supervisor_is_there(void)
{
    return fd >= 0;
}

/* tell: best effort: a manager that has gone has no use for it. */
static void
tell(int flags, const char *lines)
{
    if (fd >= 0)
        (void)send(fd, lines, strlen(lines), flags | MSG_NOSIGNAL);
}

void
supervisor_ready(void)
{
    tell(0, "READY=1\nSTATUS=Ready to accept connections\n");
}

void
supervisor_stopping(void)
{
    tell(0, "STOPPING=1\n");
}

static void
tell_status(const char *line, const char *more)
{
    char lines[512];

    snprintf(lines, sizeof lines, "%sSTATUS=%.400s\n", more, line);
    tell(MSG_DONTWAIT, lines);
}

void
supervisor_status(const char *line)
{
    tell_status(line, "");
}

void
supervisor_busy(const char *line)
{
    char more[64];

    snprintf(more, sizeof more, "EXTEND_TIMEOUT_USEC=%d\n", SUPERVISOR_MORE_S * 1000 * 1000);
    tell_status(line, more);
}
