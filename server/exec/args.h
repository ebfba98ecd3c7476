/* server/exec/args.h - arguments of the running command, as the values that it wants.
 *
 * Argument i is c->argv[i], and there is one (the arity was checked, or the handler did).  A call
 * that returns bool says false when the argument is not such a value: then the error was replied,
 * *ret may be anything, and the handler has only to return.  The errors are Redis's.
 * Threads: mutator. */
#ifndef SERVER_EXEC_ARGS_H
#define SERVER_EXEC_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "server/net/client.h"

/* arg_is: does argument i equal this word, whatever its case? */
static inline bool
arg_is(const struct client *c, int i, const char *word)
{
    debug_check(i >= 0 && i < c->argc);
    return slice_is_word(c->argv[i], word);
}

/* arg_wrong_count: replies ERR wrong number of arguments for '...' command, where the arity alone
 * does not say. */
void arg_wrong_count(struct client *c);

/* ---- numbers ---- */

/* arg_int: an int64. */
bool arg_int(struct client *c, int i, int64_t *ret);
/* arg_int32: the same of 32 bits; an error of its own for a number that has more. */
bool arg_int32(struct client *c, int i, int32_t *ret);
/* arg_int_from: an int64 of at least `least`; error: what is replied for anything else. */
bool arg_int_from(struct client *c, int i, int64_t least, const char *error, int64_t *ret);
/* arg_int_either_way: an int64 that has an opposite (all but INT64_MIN): a count whose sign says
 * something. */
bool arg_int_either_way(struct client *c, int i, int64_t *ret);
/* arg_positive: an int64 of at least 0: ERR value is out of range, must be positive. */
bool arg_positive(struct client *c, int i, int64_t *ret);
/* arg_double: a double; error: NULL for ERR value is not a valid float. */
bool arg_double(struct client *c, int i, const char *error, double *ret);
/* arg_db_number: the number of a database that there is. */
bool arg_db_number(struct client *c, int i, int *ret);

/* ---- times ---- */

/* arg_timeout_ms: whole milliseconds, at least 0, so that their end from now is a time. */
bool arg_timeout_ms(struct client *c, int i, int64_t *ret_ms);
/* arg_deadline: a blocking command's timeout in seconds (a decimal fraction, 0: for ever), as the
 * unix time in milliseconds when it is over (0: never). */
bool arg_deadline(struct client *c, int i, int64_t *ret_deadline_ms);
/* arg_deadline_ms: the same of a timeout in whole milliseconds. */
bool arg_deadline_ms(struct client *c, int i, int64_t *ret_deadline_ms);

/* ---- several at once ---- */

/* arg_numkeys: a number of keys, at least 1; that they stand behind it is the caller's to see. */
bool arg_numkeys(struct client *c, int i, int64_t *ret);

/* What LMPOP, ZMPOP and their blocking forms say behind a timeout. */
struct arg_mpop {
    int first_key, key_count;
    bool second_end; /* the second of the two words stood behind the keys */
    int64_t count;   /* at least 1; 1 if it was not said */
};
/* arg_mpop: from argument i on: numkeys key [key ...] (one of the two words) [COUNT count]. */
bool arg_mpop(struct client *c, int i, const char *const ends[2], struct arg_mpop *ret);

#endif
