/* server/commands/string/string_condition.c - what is done only if a key has, or has not, this
 * value: DELEX, DELIFEQ and the conditions of SET; DIGEST, with which a value is compared without
 * being sent. */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "server/commands/string/string.h"
#include "server/commands/string/string_options.h"
#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/string/string.def"

enum { DIGEST_DIGITS = 16 };

enum string_condition_kind
string_condition_word(const struct client *c, int i)
{
    static const struct {
        const char *word;
        enum string_condition_kind kind;
    } words[] = {
        {"ifeq", IF_EQ}, {"ifne", IF_NE}, {"ifdeq", IF_DIGEST_EQ}, {"ifdne", IF_DIGEST_NE}};

    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (arg_is(c, i, words[k].word))
            return words[k].kind;
    return IF_ANY;
}

/* ---- digests: XXH3 of 64 bits, without a seed, so that clients can make them too ---- */

static uint64_t
digest_of(struct slice text)
{
    return XXH3_64bits(text.ptr, text.len);
}

static int
digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20; /* lower case */
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* parse_digest: sixteen hexadecimal digits, in any case. */
static bool
parse_digest(struct slice s, uint64_t *ret)
{
    uint64_t n = 0;

    if (s.len != DIGEST_DIGITS)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int value = digit_value(s.ptr[i]);
        if (value < 0)
            return false;
        n = n << 4 | (uint64_t)value;
    }
    *ret = n;
    return true;
}

/* DIGEST key -> sixteen hexadecimal digits, or null. */
void
cmd_digest(struct client *c)
{
    static const char digits[] = "0123456789abcdef";
    char scratch[NUM_MAX_BYTES], text[DIGEST_DIGITS];
    struct db_ref ref;
    uint64_t n;

    if (!string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL) {
        reply_null(c);
        return;
    }
    n = digest_of(record_text(ref.rec, scratch));
    for (int i = DIGEST_DIGITS - 1; i >= 0; i--, n >>= 4)
        text[i] = digits[n & 15];
    reply_bulk(c, text, sizeof text);
}

/* ---- conditions ---- */

static bool
is_equal(struct slice a, struct slice b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

enum string_verdict
string_judge(struct client *c, const struct string_condition *condition, const struct record *r)
{
    bool wants_equal = condition->kind == IF_EQ || condition->kind == IF_DIGEST_EQ, equal;
    char scratch[NUM_MAX_BYTES];
    uint64_t digest;

    if (condition->kind == IF_ANY)
        return CONDITION_HOLDS;
    if (r == NULL)
        return wants_equal ? CONDITION_FAILS : CONDITION_HOLDS;
    if (record_type(r) != TYPE_STRING) {
        reply_wrong_type(c);
        return CONDITION_ERROR;
    }
    if (condition->kind == IF_EQ || condition->kind == IF_NE) {
        equal = is_equal(record_text(r, scratch), c->argv[condition->at]);
    } else if (parse_digest(c->argv[condition->at], &digest)) {
        equal = digest_of(record_text(r, scratch)) == digest;
    } else {
        reply_error(c, "ERR must be exactly 16 hexadecimal characters");
        return CONDITION_ERROR;
    }
    return equal == wants_equal ? CONDITION_HOLDS : CONDITION_FAILS;
}

/* delete_if: -> how many keys went: one or none. */
static void
delete_if(struct client *c, const struct string_condition *condition)
{
    enum string_verdict verdict;
    struct db_ref ref;

    if (db_lookup(c->db, c->argv[1], DB_WRITE, &ref) == NULL) {
        reply_int(c, 0);
        return;
    }
    if ((verdict = string_judge(c, condition, ref.rec)) == CONDITION_ERROR)
        return;
    if (verdict == CONDITION_HOLDS) {
        db_remove(&ref);
        changed_gone(c, c->argv[1]);
        if (unlikely(effects_are_wanted))
            effect_deleted(c->argv[1]);
    }
    reply_int(c, verdict == CONDITION_HOLDS);
}

/* DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]; without a condition the key
 * may be of any type. */
void
cmd_delex(struct client *c)
{
    struct string_condition condition = {.kind = IF_ANY};

    if (c->argc == 4) {
        condition = (struct string_condition){.kind = string_condition_word(c, 2), .at = 3};
        if (condition.kind == IF_ANY) {
            reply_error(c, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
            return;
        }
    } else if (c->argc != 2) {
        arg_wrong_count(c);
        return;
    }
    delete_if(c, &condition);
}

/* DELIFEQ key value */
void
cmd_delifeq(struct client *c)
{
    delete_if(c, &(struct string_condition){.kind = IF_EQ, .at = 2});
}
