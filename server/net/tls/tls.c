/* server/net/tls/tls.c - one connection: handshake, bytes in and out, its end. */
#include "server/net/tls/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "mm/base/must.h"
#include "server/net/tls/tls_impl.h"

enum {
    RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, /* what one record holds at most */
    WRITE_BYTES = 1024 * 1024                /* of a connection in one call: half a millisecond */
};

struct tls {
    SSL *ssl;
    ssize_t bytes; /* that the library took for it: sessions are shared, so it may be too low */
    bool is_open;  /* the handshake is over */
    bool is_failed, is_at_end, has_ended;
    bool has_input, waits_to_write;
    char error[160];
};

/* ---- its memory, by what calls for it have taken ---- */

static inline size_t
begin_call(void)
{
    ERR_clear_error(); /* SSL_get_error() looks at what is left of an earlier one */
    return tls_heap_bytes();
}

static inline void
end_call(struct tls *t, size_t before)
{
    t->bytes += (ssize_t)(tls_heap_bytes() - before);
}

size_t
tls_bytes(const struct tls *t)
{
    return sizeof *t + (t->bytes > 0 ? (size_t)t->bytes : 0);
}

struct tls *
tls_new(int fd)
{
    SSL_CTX *ctx = tls_context();
    size_t before = begin_call();
    struct tls *t = calloc(1, sizeof *t);

    must(ctx != NULL);
    if (t == NULL)
        return NULL;
    if ((t->ssl = SSL_new(ctx)) == NULL || SSL_set_fd(t->ssl, fd) <= 0) {
        tls_free(t);
        return NULL;
    }
    SSL_set_accept_state(t->ssl);
    end_call(t, before);
    return t;
}

void
tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    free(t);
}

/* ---- what a call came to ---- */

static void
note_error(struct tls *t, int error)
{
    long verdict = SSL_get_verify_result(t->ssl);

    t->is_failed = true;
    if (error != SSL_ERROR_SSL)
        snprintf(t->error, sizeof t->error, "%s", errno != 0 ? strerror(errno) : "it ended");
    else if (verdict != X509_V_OK)
        snprintf(t->error, sizeof t->error, "%s: %s", tls_reason(),
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(t->error, sizeof t->error, "%s", tls_reason());
}

/* 0: the other side has ended; -1 with errno. */
static int
judge(struct tls *t, int returned)
{
    int system_error = errno, error = SSL_get_error(t->ssl, returned);

    switch (error) {
    case SSL_ERROR_WANT_WRITE:
        t->waits_to_write = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        t->is_at_end = true;
        return 0;
    default:
        errno = system_error;
        note_error(t, error);
        errno = EPROTO;
        return -1;
    }
}

const char *
tls_error(const struct tls *t)
{
    return t->error;
}

/* ---- handshake ---- */

enum tls_step
tls_shake_hands(struct tls *t)
{
    size_t before = begin_call();
    int n;

    debug_check(!t->is_open && !t->is_failed);
    t->waits_to_write = false;
    errno = 0;
    n = SSL_do_handshake(t->ssl);
    if (n == 1) {
        t->is_open = true;
        end_call(t, before);
        return TLS_IS_OPEN;
    }
    n = judge(t, n);
    end_call(t, before);
    if (n < 0 && errno == EAGAIN)
        return TLS_WAITS;
    if (n == 0)
        snprintf(t->error, sizeof t->error, "it ended");
    t->is_failed = true;
    return TLS_FAILED;
}

/* ---- reading ---- */

bool
tls_has_input(const struct tls *t)
{
    return t->has_input;
}

bool
tls_waits_to_write(const struct tls *t)
{
    return t->waits_to_write;
}

static ssize_t
read_some(struct tls *t, char *into, size_t room)
{
    size_t got = 0;
    int n;

    do {
        size_t rest = room - got;

        n = SSL_read(t->ssl, into + got, rest > INT_MAX ? INT_MAX : (int)rest);
        if (n <= 0)
            break;
        got += (size_t)n;
    } while (got < room && SSL_has_pending(t->ssl));
    if (n > 0) {
        t->has_input = got == room && SSL_has_pending(t->ssl);
        return (ssize_t)got;
    }
    n = judge(t, n);
    if (got == 0)
        return n;
    t->has_input = t->is_at_end || t->is_failed; /* which the next call tells */
    return (ssize_t)got;
}

ssize_t
tls_read(struct tls *t, char *into, size_t room)
{
    size_t before;
    ssize_t n;

    t->has_input = t->waits_to_write = false;
    if (t->is_at_end)
        return 0;
    if (t->is_failed) {
        errno = EPROTO;
        return -1;
    }
    before = begin_call();
    n = read_some(t, into, room);
    end_call(t, before);
    return n;
}

/* ---- writing ---- */

/* Where in the parts the next byte is. */
struct place {
    const struct iovec *part, *end;
    size_t at;
};

static void
advance(struct place *p, size_t bytes)
{
    while (p->part < p->end && bytes >= p->part->iov_len - p->at) {
        bytes -= p->part->iov_len - p->at;
        p->part++;
        p->at = 0;
    }
    p->at += bytes;
}

/* A record's worth of bytes: from where they stand, if there are enough or nothing follows; else
 * small pieces are put together. */
static const char *
gather(struct place p, size_t *ret_len)
{
    static char record[RECORD_BYTES];
    const char *here = (const char *)p.part->iov_base + p.at;
    size_t len = p.part->iov_len - p.at, filled = 0;

    if (len >= RECORD_BYTES || p.part + 1 == p.end) {
        *ret_len = len < RECORD_BYTES ? len : RECORD_BYTES;
        return here;
    }
    while (p.part < p.end && filled < RECORD_BYTES) {
        len = p.part->iov_len - p.at;
        if (len > RECORD_BYTES - filled)
            len = RECORD_BYTES - filled;
        memcpy(record + filled, (const char *)p.part->iov_base + p.at, len);
        filled += len;
        advance(&p, len);
    }
    *ret_len = filled;
    return record;
}

/* Writing waits for the socket alone: nothing is negotiated again. */
static int
judge_write(struct tls *t, int returned)
{
    t->waits_to_write = false;
    if (judge(t, returned) < 0 && (errno != EAGAIN || t->waits_to_write))
        return -1;
    t->is_failed = true;
    snprintf(t->error, sizeof t->error, "it does not take what it is sent");
    errno = EPROTO;
    return -1;
}

static ssize_t
write_some(struct tls *t, struct place p)
{
    size_t done = 0, len;

    advance(&p, 0); /* over parts without a byte */
    while (p.part < p.end && done < WRITE_BYTES) {
        const char *bytes = gather(p, &len);
        int n = SSL_write(t->ssl, bytes, (int)len);

        if (n <= 0) {
            int r = judge_write(t, n);
            return done > 0 ? (ssize_t)done : r;
        }
        done += (size_t)n;
        advance(&p, (size_t)n);
    }
    return (ssize_t)done;
}

ssize_t
tls_writev(struct tls *t, const struct iovec *parts, int count)
{
    bool waits = t->waits_to_write; /* that is about reading */
    size_t before;
    ssize_t n;

    if (t->is_failed || t->has_ended) {
        errno = EPIPE;
        return -1;
    }
    before = begin_call();
    n = write_some(t, (struct place){parts, parts + count, 0});
    end_call(t, before);
    t->waits_to_write = waits;
    return n;
}

ssize_t
tls_write(struct tls *t, const char *bytes, size_t len)
{
    union {
        const char *given;
        char *base;
    } u = {.given = bytes}; /* writing only reads them */
    struct iovec part = {.iov_base = u.base, .iov_len = len};

    return tls_writev(t, &part, 1);
}

void
tls_end(struct tls *t)
{
    size_t before;

    if (!t->is_open || t->is_failed || t->has_ended)
        return;
    t->has_ended = true;
    before = begin_call();
    (void)SSL_shutdown(t->ssl);
    end_call(t, before);
}
