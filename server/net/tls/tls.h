/* server/net/tls/tls.h - TLS over a socket: who we are to the other side, and one connection.
 *
 * A connection is made of a socket that somebody else owns.  It shakes hands first, and is then
 * read and written as a socket is: the calls answer bytes, 0 at the end, or -1 with errno, EAGAIN
 * where the socket is not ready.  Nothing here knows a client.
 *
 *   TL1  A configuration is tried before it holds, and as a whole.  One that is refused changes
 *        nothing, and connections that are open stay with the one that they began with.
 *   TL2  What the library has taken in and not handed out is asked for with tls_has_input(): no
 *        event of the socket tells of it.
 *   TL3  A connection that has failed is never touched again, but to be freed.
 *
 * Where the server is built without TLS, tls_none.c stands in for all of this: nothing can be
 * configured, so no connection comes to be.
 * Threads: mutator. */
#ifndef SERVER_NET_TLS_TLS_H
#define SERVER_NET_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config;
struct iovec;
struct tls;

/* ---- who we are: certificate, key, whom we trust ---- */

/* tls_start: as configured, if there is a tls-port; CONFIG SET is followed from now on.  False: it
 * cannot be used, and *why says which parameter is wrong and how; good until the next call. */
bool tls_start(const char **why);
/* tls_try: what `next` says is read and checked, and kept for tls_hold().  With the configuration
 * that holds, or no tls-port: nothing is kept.  False: *why, for CONFIG SET's reply. */
bool tls_try(const struct config *next, const char **why);
/* tls_hold: new connections get what was tried last; if nothing was, what they got before. */
void tls_hold(void);
/* tls_heap_bytes: all memory that the library holds: connections, sessions, certificates. */
size_t tls_heap_bytes(void);

/* ---- one connection ---- */

/* tls_new: of a socket without blocking, which stays the caller's.  NULL: no memory. */
struct tls *tls_new(int fd);
/* tls_free: without a word to the other side.  NULL is fine. */
void tls_free(struct tls *t);

enum tls_step { TLS_FAILED = -1, TLS_WAITS, TLS_IS_OPEN };
/* tls_shake_hands: as far as it goes now.  Costs up to a millisecond or two where we prove who we
 * are.  TLS_FAILED: tls_error() says why. */
enum tls_step tls_shake_hands(struct tls *t);

/* tls_read: decrypts until `into` is full or nothing is left to take in without waiting. */
ssize_t tls_read(struct tls *t, char *into, size_t room);
/* tls_writev: encrypts up to about a megabyte of the parts.  What did not go out has to be offered
 * again, from the same bytes on, and no fewer of them: they may stand elsewhere, and more may
 * follow them. */
ssize_t tls_writev(struct tls *t, const struct iovec *parts, int count);
ssize_t tls_write(struct tls *t, const char *bytes, size_t len);
/* tls_has_input: TL2: after a read that filled its room, or met the end behind some bytes. */
bool tls_has_input(const struct tls *t);
/* tls_waits_to_write: the last read, or step of the handshake, needs the socket to take
 * something. */
bool tls_waits_to_write(const struct tls *t);
/* tls_end: tells the other side that nothing follows; once, if the socket takes it. */
void tls_end(struct tls *t);
/* tls_error: what went wrong when a call failed with something else than EAGAIN. */
const char *tls_error(const struct tls *t);
/* tls_bytes: the memory of this connection, as near as can be told. */
size_t tls_bytes(const struct tls *t);

#endif
