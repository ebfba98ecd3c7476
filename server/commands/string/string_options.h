/* server/commands/string/string_options.h - what is said behind SET, GETEX and MSETEX: when, and
 * until when.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_STRING_STRING_OPTIONS_H
#define SERVER_COMMANDS_STRING_STRING_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;
struct record;

/* ---- one of EX, PX, EXAT, PXAT ---- */

struct expiry_word {
    const char *word;
    bool seconds, absolute;
};
enum { EXPIRY_EX, EXPIRY_PX, EXPIRY_EXAT, EXPIRY_PXAT, EXPIRY_WORDS };
extern const struct expiry_word string_expiry_words[EXPIRY_WORDS];

/* string_expiry_word: argument i as one of these; NULL: it is none. */
const struct expiry_word *string_expiry_word(const struct client *c, int i);
/* string_parse_expiry: argument i, a number of such a word, as unix milliseconds.  False: an error
 * was replied. */
bool string_parse_expiry(struct client *c, int i, const struct expiry_word *w, int64_t *ret);

/* ---- a condition on the value that there is ---- */

enum string_condition_kind { IF_ANY, IF_EQ, IF_NE, IF_DIGEST_EQ, IF_DIGEST_NE };
struct string_condition {
    enum string_condition_kind kind;
    int at; /* the argument that the value, or its digest, is compared with */
};

/* string_condition_word: argument i as IFEQ IFNE IFDEQ IFDNE; IF_ANY: it is none of these. */
enum string_condition_kind string_condition_word(const struct client *c, int i);

enum string_verdict { CONDITION_HOLDS, CONDITION_FAILS, CONDITION_ERROR };
/* string_judge: does it hold for this record?  NULL, no key: it has no value that is equal to
 * anything.  CONDITION_ERROR: an error was replied: it is no string, or what it is compared with
 * is no digest.  O(length of the value) */
enum string_verdict string_judge(struct client *c, const struct string_condition *condition,
                                 const struct record *r);

/* ---- all of it ---- */

struct set_options {
    bool nx, xx, get, keep_ttl;
    struct string_condition condition;
    int64_t expire_at_ms; /* RECORD_NO_EXPIRE */
};

/* string_parse_options: the arguments from `from` on; is_set: GET and conditions are among them
 * (SET).  The same word twice is no error, as in Redis: the last number counts.  False: an error
 * was replied. */
bool string_parse_options(struct client *c, int from, bool is_set, struct set_options *ret);

/* string_say_set: as an effect: what a key was set to with an expiry, to the millisecond. */
void string_say_set(struct slice key, struct slice value, int64_t expire_at_ms);

#endif
