/* server/net/net.c - listening sockets, and how many clients there may be. */
#include "server/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/net/net_impl.h"
#include "server/net/tls/tls.h"

enum {
    LISTENERS_MAX = 16,
    RETRY_MS = 1000,
    OTHER_FILES = 32 /* descriptors beside the clients': listeners, log, dump, epoll, ... */
};

/* The addresses of `bind`, with one of the ports. */
static struct listening {
    bool is_tls;
    bool is_lost;     /* nothing is listened on, though it is configured: it is tried again */
    int64_t retry_ms; /* not before */
    struct listener at[LISTENERS_MAX];
    int count;
} plain, encrypted = {.is_tls = true};

/* ---- opening ---- */

/* A numeric address, or "*" for all of IPv4 and "::*" for all of IPv6.  0: not an address. */
static socklen_t
make_address(const char *text, int port, union net_address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (strcmp(text, "*") == 0 || inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        return sizeof ret->v4;
    }
    if (strcmp(text, "::*") == 0 || inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        return sizeof ret->v6;
    }
    return 0;
}

/* The unix socket; one that a former server left behind gives way. */
static int
open_unix_socket(const struct config *conf)
{
    union net_address a = {.local = {.sun_family = AF_UNIX}};
    int fd, r;

    if (strlen(conf->unixsocket) >= sizeof a.local.sun_path)
        return -ENAMETOOLONG;
    strcpy(a.local.sun_path, conf->unixsocket);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
        return -errno;
    unlink(conf->unixsocket);
    if (bind(fd, &a.any, sizeof a.local) == 0 &&
        (conf->unixsocketperm == 0 || chmod(conf->unixsocket, (mode_t)conf->unixsocketperm) == 0) &&
        listen(fd, (int)conf->tcp_backlog) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

/* Returns the socket or -errno. */
static int
open_socket(const union net_address *a, socklen_t len, int backlog)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, r;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &a->any, len) == 0 && listen(fd, backlog) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

static bool
means_absent(int error)
{
    return error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT || error == -EPROTONOSUPPORT ||
           error == -ESOCKTNOSUPPORT || error == -EPFNOSUPPORT || error == -ENOPROTOOPT ||
           error == -EINVAL;
}

static int
port_of(const struct listening *set, const struct config *conf)
{
    return (int)(set->is_tls ? conf->tls_port : conf->port);
}

/* Add one listener for a word of `bind`.  0 or -errno; an address that may be missing and is, is
 * 0. */
static int
listen_on(const char *word, const struct config *conf, struct listening *set)
{
    bool optional = word[0] == '-';
    union net_address a;
    int port = port_of(set, conf);
    socklen_t len = make_address(word + optional, port, &a);
    int fd = len == 0 ? -EINVAL : open_socket(&a, len, (int)conf->tcp_backlog);

    if (fd >= 0) {
        set->at[set->count++] =
            (struct listener){.source.ready = net_accept, .fd = fd, .is_tls = set->is_tls};
        return 0;
    }
    if (optional && len != 0 && means_absent(fd)) {
        log_line(LOG_NOTICE, "Not listening on %s:%d: %s", word + 1, port, strerror(-fd));
        return 0;
    }
    log_line(LOG_WARNING, "Could not create server TCP listening socket %s:%d: %s", word + optional,
             port, len == 0 ? "not a numeric address" : strerror(-fd));
    return fd;
}

static void
close_listener(struct listener *l)
{
    loop_remove(l->fd);
    close(l->fd);
}

static void
close_all(struct listening *set)
{
    for (int i = 0; i < set->count; i++)
        close_listener(&set->at[i]);
    set->count = 0;
}

/* Open what a configuration names; nothing stays open on a failure. */
static int
open_all(const struct config *conf, struct listening *set)
{
    char words[1024], *save = NULL;
    int r = 0;

    set->count = 0;
    if (port_of(set, conf) == 0)
        return 0;
    if (strlen(conf->bind) >= sizeof words)
        return -E2BIG;
    strcpy(words, conf->bind);
    for (char *w = strtok_r(words, " ", &save); w != NULL && r == 0; w = strtok_r(NULL, " ", &save))
        r = set->count < LISTENERS_MAX ? listen_on(w, conf, set) : -E2BIG;
    if (r == 0 && set->count == 0 && conf->bind[0] != '\0')
        r = -EADDRNOTAVAIL;
    for (int i = 0; i < set->count && r == 0; i++)
        r = loop_add(set->at[i].fd, EPOLLIN, &set->at[i].source);
    if (r < 0)
        close_all(set);
    return r;
}

/* The unix socket stays as it is for the server's life: CONFIG SET cannot change it. */
static struct listener unix_listener = {.fd = -1};

static int
start_unix_listener(void)
{
    int fd, r;

    if (config.unixsocket[0] == '\0')
        return 0;
    if ((fd = open_unix_socket(&config)) < 0) {
        log_line(LOG_WARNING, "Failed opening Unix socket: bind: %s: %s", config.unixsocket,
                 strerror(-fd));
        return fd;
    }
    unix_listener = (struct listener){.source.ready = net_accept, .fd = fd, .is_unix = true};
    if ((r = loop_add(fd, EPOLLIN, &unix_listener.source)) < 0) {
        log_line(LOG_WARNING, "Failed listening on Unix socket %s: %s", config.unixsocket,
                 strerror(-r));
        close(fd);
    }
    return r;
}

/* The system cuts a longer queue of connections without a word. */
static void
warn_of_short_backlog(void)
{
    FILE *f = fopen("/proc/sys/net/core/somaxconn", "re");
    int max;

    if (f == NULL)
        return;
    if (fscanf(f, "%d", &max) == 1 && max > 0 && max < config.tcp_backlog)
        log_line(
            LOG_WARNING,
            "The TCP backlog setting of %lld cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower value of %d.",
            (long long)config.tcp_backlog, max);
    fclose(f);
}

/* Addresses that stay are bound anew, so the old ones go first; if the new ones are refused the old
 * ones come back. */
static bool
change(struct listening *set, const struct config *next)
{
    close_all(set);
    set->is_lost = false;
    if (open_all(next, set) == 0)
        return true;
    if (open_all(&config, set) < 0) {
        log_line(
            LOG_WARNING,
            "The former addresses cannot be listened on any more: they are tried again each second");
        set->is_lost = true;
        set->retry_ms = clock_now.ms + RETRY_MS;
    }
    return false;
}

static void
listen_again(struct listening *set)
{
    if (!set->is_lost || clock_now.ms < set->retry_ms)
        return;
    set->retry_ms = clock_now.ms + RETRY_MS;
    if (open_all(&config, set) < 0)
        return; /* logged */
    set->is_lost = false;
    log_line(LOG_NOTICE, "Listening on port %d again", port_of(set, &config));
}

static const char no_such_port[] = "Unable to listen on this port. Check server logs.";

static bool
change_port(const struct config *next, const char **why)
{
    *why = no_such_port;
    return change(&plain, next);
}

static bool
change_tls_port(const struct config *next, const char **why)
{
    if (!tls_try(next, why))
        return false;
    *why = no_such_port;
    return change(&encrypted, next);
}

/* CONFIG SET bind.  With another port, too: that one's own change has opened it, or will. */
static bool
change_bind(const struct config *next, const char **why)
{
    *why = "Failed to bind to specified addresses.";
    if (!change(&plain, next))
        return false;
    if (change(&encrypted, next))
        return true;
    (void)change(&plain, &config);
    return false;
}

/* ---- the number of clients ---- */

/* As many clients as configured need as many open files; returns how many the system allows, 0: the
 * rest alone has no room; and the limit. */
static int
fit_maxclients(int64_t wanted, rlim_t *ret_limit)
{
    rlim_t need = (rlim_t)wanted + OTHER_FILES;
    struct rlimit lim, more;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur >= need)
        return (int)(wanted > INT32_MAX ? INT32_MAX : wanted);
    more.rlim_max = lim.rlim_max > need ? lim.rlim_max : need;
    more.rlim_cur = need;
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return (int)wanted;
    more = lim;
    more.rlim_cur = lim.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        lim.rlim_cur = lim.rlim_max;
    *ret_limit = lim.rlim_cur;
    if (lim.rlim_cur <= OTHER_FILES)
        return 0;
    return (int)(lim.rlim_cur - OTHER_FILES < need ? lim.rlim_cur - OTHER_FILES : need);
}

int
net_count_files(void)
{
    rlim_t limit = RLIM_INFINITY;
    int64_t wanted = config.maxclients;
    int fit = fit_maxclients(wanted, &limit);

    if (fit == 0) {
        log_line(
            LOG_WARNING,
            "The limit of open files (ulimit -n, RLIMIT_NOFILE) is %llu: the server needs %d at least, and %lld for maxclients %lld. Raise the limit. Exiting.",
            (unsigned long long)limit, OTHER_FILES + 1, (long long)wanted + OTHER_FILES,
            (long long)wanted);
        return -EMFILE;
    }
    if (fit < wanted) {
        log_line(
            LOG_WARNING,
            "maxclients %lld needs %lld open files, and the limit (ulimit -n, RLIMIT_NOFILE) is %llu: maxclients is lowered to %d. For more clients raise the limit.",
            (long long)wanted, (long long)wanted + OTHER_FILES, (unsigned long long)limit, fit);
        config.maxclients = fit;
    }
    return 0;
}

static bool
change_maxclients(const struct config *next, const char **why)
{
    static char text[128];
    rlim_t limit;
    int fit = fit_maxclients(next->maxclients, &limit);

    if (fit < next->maxclients) {
        snprintf(
            text, sizeof text,
            "The operating system is not able to handle the specified number of clients, try with %d",
            fit);
        *why = text;
        return false;
    }
    return true;
}

static int
listen_at_start(struct listening *set)
{
    int r = open_all(&config, set);

    if (r < 0)
        log_line(LOG_WARNING, "Failed listening on port %d (%s), aborting.", port_of(set, &config),
                 set->is_tls ? "TLS" : "TCP");
    return r;
}

int
net_start(void)
{
    const char *why;
    int r;

    config_on_change("maxclients", change_maxclients);
    warn_of_short_backlog();
    net_turn_init();
    if ((r = start_unix_listener()) < 0)
        return r;
    if (!tls_start(&why)) {
        log_line(LOG_WARNING, "TLS cannot be configured: %s", why);
        return -EINVAL;
    }
    if ((r = listen_at_start(&plain)) < 0 || (r = listen_at_start(&encrypted)) < 0)
        return r;
    config_on_change("port", change_port);
    config_on_change("bind", change_bind);
    config_on_change("tls-port", change_tls_port);
    return 0;
}

void
net_stop(void)
{
    close_all(&plain);
    close_all(&encrypted);
    for (struct client *c = client_first(); c != NULL; c = c->next)
        if (c->tls != NULL)
            tls_end(c->tls);
    if (unix_listener.fd < 0)
        return;
    close_listener(&unix_listener);
    unix_listener.fd = -1;
    log_line(LOG_NOTICE, "Removing the unix socket file.");
    unlink(config.unixsocket);
}

void
net_retry_accept(void)
{
    net_unmute(&unix_listener);
    listen_again(&plain);
    listen_again(&encrypted);
    for (int i = 0; i < plain.count; i++)
        net_unmute(&plain.at[i]);
    for (int i = 0; i < encrypted.count; i++)
        net_unmute(&encrypted.at[i]);
}
