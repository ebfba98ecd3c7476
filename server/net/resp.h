/* server/net/resp.h - requests: RESP arrays and inline commands, parsed where they stand.
 *
 * A complete command in canonical form takes the short way and touches nothing but the argument
 * vector. Anything else (a command of which a part is still to come, an odd form, an error) goes
 * through the long way, which stops at any byte and goes on at the same argument later, however
 * small the pieces. The buffer must hold a NUL at buf[len].
 * Threads: mutator. */
#ifndef SERVER_NET_RESP_H
#define SERVER_NET_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum {
    RESP_INLINE_MAX_BYTES = 64 * 1024, /* a line longer than this is refused */
    RESP_BIG_BULK_BYTES = 32 * 1024,   /* from here on a bulk gets a buffer of its size */
    /* What somebody may say who has not shown the password yet: AUTH and HELLO need no more. */
    RESP_STRANGER_ARGS = 10,
    RESP_STRANGER_BULK_BYTES = 16 * 1024
};

enum resp_result {
    RESP_COMMAND, /* one command was appended to the vector */
    RESP_NOTHING, /* an empty line or an empty array was passed over */
    RESP_MORE,    /* the rest of the command is still to come */
    RESP_ERROR,   /* protocol error: ret_error says which; nothing more can be parsed */
    RESP_NO_MEMORY
};

struct resp_span {
    size_t at, len; /* from the command's first byte */
};

/* A command of which a part has been parsed; all zero: none.  Offsets count from its first byte, so
 * that the buffer may move. */
struct resp {
    int32_t want, have; /* arguments of the array; want 0: its header is still to come */
    bool in_bulk;       /* the header of the next argument was read: bulk_len counts */
    uint64_t bulk_len;
    size_t at;              /* the next byte to look at */
    struct resp_span *args; /* the first `have`; room for `room` */
    int32_t room;
};

/* Where parsed arguments go; shared by the commands of one batch. */
struct resp_vector {
    struct slice *at; /* count of room are in use */
    int count, room;
    char *scratch; /* words of the last inline command that had quotes */
    size_t scratch_room;
    bool scratch_used; /* by the last command: it must be executed before the next is parsed */
    uint64_t max_bulk_bytes;
    bool is_stranger; /* set by resp_next_of_stranger() */
};

/* resp_next: the command that begins at buf.  *ret_used: how many bytes it takes (COMMAND,
 * NOTHING). The arguments of a COMMAND are v->at[count before .. v->count); they point into buf or
 * v->scratch. */
enum resp_result resp_next(struct resp *r, const char *buf, size_t len, struct resp_vector *v,
                           size_t *ret_used, const char **ret_error);

/* resp_next_of_stranger: the same with the limits for those who have not shown the password: what a
 * header claims beyond them is an error at once, before anything of it has come. */
enum resp_result resp_next_of_stranger(struct resp *r, const char *buf, size_t len,
                                       struct resp_vector *v, size_t *ret_used,
                                       const char **ret_error);

/* resp_needs: bytes from the command's begin that are known to be needed; 0: nothing is known. */
static inline size_t
resp_needs(const struct resp *r)
{
    return r->in_bulk ? r->at + r->bulk_len + 2 : 0;
}

/* resp_parsed: so many bytes from its begin on are arguments that are there as a whole, and
 * headers. */
static inline size_t
resp_parsed(const struct resp *r)
{
    return r->want > 0 ? r->at : 0;
}

/* resp_words_bytes: of those, the arguments alone. */
static inline size_t
resp_words_bytes(const struct resp *r)
{
    size_t bytes = 0;

    for (int32_t i = 0; i < r->have; i++)
        bytes += r->args[i].len;
    return bytes;
}

/* resp_reset: forget a half-parsed command and give back its memory. */
void resp_reset(struct resp *r);
void resp_vector_free(struct resp_vector *v);

#endif
