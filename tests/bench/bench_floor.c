/* tests/bench/bench_floor.c - what the least server costs: make bench BENCH=floor.
 *
 *   bench_floor PORT
 *
 * Waits with epoll, reads once from each client that is ready, and answers +PONG for each 14 bytes,
 * which is what redis-benchmark's PING takes: no parsing, no commands, no buffers kept.  Its CPU
 * time is the part of any server's that is not its own: system calls, and coming back from them
 * with cold caches. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mm/base/must.h"

enum { PING_BYTES = 14, EVENTS = 64, IN_BYTES = 16384, FDS = 1024 };

static char pongs[IN_BYTES / PING_BYTES + 1][7];
static size_t rest_of[FDS]; /* bytes of a request that is not whole yet */

static void
answer(int fd)
{
    static char in[IN_BYTES];
    ssize_t n = read(fd, in, sizeof in);
    size_t whole;

    if (n <= 0) {
        close(fd);
        return;
    }
    /* what redis-benchmark asks before */
    if (n % PING_BYTES != 0 && memmem(in, (size_t)n, "CONFIG", 6) != NULL) {
        must(write(fd, "-ERR\r\n-ERR\r\n", 12) == 12);
        return;
    }
    rest_of[fd] += (size_t)n;
    whole = rest_of[fd] / PING_BYTES;
    rest_of[fd] %= PING_BYTES;
    if (whole > 0)
        must(write(fd, pongs, whole * sizeof *pongs) == (ssize_t)(whole * sizeof *pongs));
}

int
main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int poll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = listener}};

    if (argc != 2) {
        fprintf(stderr, "usage: bench_floor PORT\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof pongs / sizeof *pongs; i++)
        memcpy(pongs[i], "+PONG\r\n", sizeof pongs[i]);
    at.sin_port = htons((uint16_t)atoi(argv[1]));
    must(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    must(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, EVENTS) == 0);
    must(epoll_ctl(poll, EPOLL_CTL_ADD, listener, events) == 0);
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd != listener) {
                answer(fd);
                continue;
            }
            fd = accept(listener, NULL, NULL);
            must(fd >= 0 && fd < FDS);
            rest_of[fd] = 0;
            must(epoll_ctl(poll, EPOLL_CTL_ADD, fd,
                           &(struct epoll_event){.events = EPOLLIN, .data.fd = fd}) == 0);
        }
    }
}
