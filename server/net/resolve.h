/* server/net/resolve.h - the addresses of a host, without the loop waiting for them.
 *
 * The C library asks files and servers for them and waits as long as that takes: so each question
 * is asked in a thread of its own, which ends with the answer.  Addresses that are written as
 * numbers are no question.
 * Threads: mutator. */
#ifndef SERVER_NET_RESOLVE_H
#define SERVER_NET_RESOLVE_H

struct addrinfo;
struct resolve;

enum { RESOLVES_MAX = 16 /* at once */ };

/* resolve_start: 0, and *ret_found, which is the caller's (freeaddrinfo()): it was no question; or
 * 0 and *ret: done() is called in a later turn, once, with what was found (the callee's; NULL:
 * nothing) and *ret is gone then.  -errno: -EAGAIN: too many are asked already. */
int resolve_start(const char *host, const char *port,
                  void (*done)(void *ctx, struct addrinfo *found), void *ctx,
                  struct addrinfo **ret_found, struct resolve **ret);
/* resolve_forget: nobody wants the answer any more. */
void resolve_forget(struct resolve *r);

#endif
