/* server/net/reply.h - build replies in the client's output buffer.
 *
 * RESP2; where c->resp is 3 the RESP3 forms (map, null, double, ...) are used by the same calls.
 * None of these fails: a reply that cannot be stored (no memory) closes the client.
 * Threads: mutator. */
#ifndef SERVER_NET_REPLY_H
#define SERVER_NET_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;
struct text;

void reply_raw(struct client *c, const void *bytes, size_t len); /* bytes that are already RESP */
void reply_ok(struct client *c);
void reply_status(struct client *c, const char *text); /* +text */
/* reply_error: "-" text CRLF; text begins with its code ("ERR ...", "WRONGTYPE ..."); CR and LF in
 * it become spaces. */
void reply_error(struct client *c, const char *text);
/* reply_error_again: an error that was counted when it was replied first, to somebody else. */
void reply_error_again(struct client *c, const char *text);
/* reply_why: an error of head, "" or "ERR ...", and what stands in t; that there is no memory, if
 * there was none for it. */
void reply_why(struct client *c, const char *head, const struct text *t);
void reply_errorf(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_int(struct client *c, int64_t value);
void reply_bulk(struct client *c, const void *bytes, size_t len);
void reply_bulk_text(struct client *c, const char *text);
void reply_bulk_int(struct client *c, int64_t value); /* the number as a bulk string */
void reply_null(struct client *c);                    /* $-1, or _ in RESP3 */
void reply_null_array(struct client *c);              /* *-1, or _ in RESP3 */
void reply_array(struct client *c, size_t count);     /* then count elements */
void reply_map(struct client *c, size_t pairs);       /* RESP2: array of 2 * pairs */
void reply_set(struct client *c, size_t count);
/* reply_bulk_begin: header of a bulk of exactly len bytes, to be followed by reply_raw() pieces and
 * reply_bulk_end(). */
void reply_bulk_begin(struct client *c, size_t len);
void reply_bulk_end(struct client *c);
/* reply_array_deferred: for a count not yet known; returns a token for reply_array_close(). */
size_t reply_array_deferred(struct client *c);
void reply_array_close(struct client *c, size_t token, size_t count);
void reply_set_close(struct client *c, size_t token, size_t count); /* the same, of a set */

/* Forms that RESP2 does not have: there a number, a bulk string, or an array stands in, as Redis
 * does it. */
void reply_bool(struct client *c, bool value);               /* #t #f; RESP2: 1 0 */
void reply_double(struct client *c, double value);           /* ,1.5; RESP2: bulk string */
void reply_big_number(struct client *c, const char *digits); /* (123; RESP2: bulk string */
/* =..txt:; RESP2: bulk string */
void reply_verbatim(struct client *c, const char *kind, const void *bytes, size_t len);
void reply_push(struct client *c, size_t count); /* >3; RESP2: array */
/* reply_attribute: |1, then pairs, then the reply proper.  RESP3 only: ask c->resp first. */
void reply_attribute(struct client *c, size_t pairs);

/* reply_take_back: forget what was replied since client_pending_out(c) was pending; only within a
 * handler. */
void reply_take_back(struct client *c, size_t pending);

/* Errors that many commands share. */
/* WRONGTYPE Operation against a key holding the wrong kind of value */
void reply_wrong_type(struct client *c);
void reply_syntax(struct client *c);    /* ERR syntax error */
void reply_not_int(struct client *c);   /* ERR value is not an integer or out of range */
void reply_no_key(struct client *c);    /* ERR no such key */
void reply_no_memory(struct client *c); /* OOM ...: the arena gave no memory; nothing was changed */
/* reply_subcommand_text: ERR complaint 'word'. Try NAME HELP.  Good until the next one. */
const char *reply_subcommand_text(const char *complaint, struct slice name, struct slice word);
/* reply_subcommand_syntax: ERR unknown subcommand or wrong number of arguments for '...'. Try ...
 * HELP. */
void reply_subcommand_syntax(struct client *c);

#endif
