/* server/commands/hash/hash.c - commands on hashes.  HRANDFIELD: commands/hash/hash_random.c;
 * HSCAN: commands/generic/scan.c. */
#include <math.h>

#include "mm/base/long_double.h"
#include "mm/base/num.h"
#include "server/commands/generic/scan.h"
#include "server/commands/hash/hash_key.h"
#include "server/data/db/db.h"
#include "server/data/hash/hash.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/hash/hash.def"

static bool
find_field(const struct db_ref *ref, struct slice field, char scratch[LP_INT_TEXT_BYTES],
           struct slice *ret)
{
    return ref->rec != NULL && hash_get(ref->rec, field, scratch, ret);
}

/* ---- set ---- */

/* set_pairs: arguments 2 and so on; false: an error was replied. */
static bool
set_pairs(struct client *c, int64_t *ret_added)
{
    struct db_ref ref;

    if (c->argc % 2 != 0) {
        arg_wrong_count(c);
        return false;
    }
    if (!hash_key(c, DB_WRITE, &ref))
        return false;
    if (hash_set(&ref, c->argv + 2, (c->argc - 2) / 2, ret_added) < 0) {
        reply_no_memory(c);
        return false;
    }
    changed(c, c->argv[1], KEY_EVENT_HASH, "hset", (uint64_t)(c->argc - 2) / 2);
    return true;
}

void
cmd_hset(struct client *c)
{
    int64_t added;

    if (set_pairs(c, &added))
        reply_int(c, added);
}

void
cmd_hmset(struct client *c)
{
    int64_t added;

    if (set_pairs(c, &added))
        reply_ok(c);
}

void
cmd_hsetnx(struct client *c)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice value;
    struct db_ref ref;
    int64_t added;

    if (!hash_key(c, DB_WRITE, &ref))
        return;
    if (find_field(&ref, c->argv[2], scratch, &value)) {
        reply_int(c, 0);
    } else if (hash_set(&ref, c->argv + 2, 1, &added) < 0) {
        reply_no_memory(c);
    } else {
        changed(c, c->argv[1], KEY_EVENT_HASH, "hset", 1);
        reply_int(c, 1);
    }
}

/* set_with_time: of a hash with fields that expire. */
static __attribute__((noinline)) int
set_with_time(struct db_ref *ref, const struct slice words[2], int64_t *ret_at_ms)
{
    struct hash_item item = {words[0], words[1], RECORD_NO_EXPIRE};
    int64_t added;

    if (hash_expiry(ref->rec, words[0], ret_at_ms))
        item.expire_at_ms = *ret_at_ms;
    return hash_put(ref, &item, 1, &added);
}

/* set_in_its_time: the field gets another value and keeps its time; *ret_at_ms: that. */
static inline int
set_in_its_time(struct db_ref *ref, const struct slice words[2], int64_t *ret_at_ms)
{
    int64_t added;

    *ret_at_ms = RECORD_NO_EXPIRE;
    if (ref->rec != NULL && unlikely(record_is_timed(ref->rec)))
        return set_with_time(ref, words, ret_at_ms);
    return hash_set(ref, words, 1, &added);
}

void
cmd_hincrby(struct client *c)
{
    char scratch[LP_INT_TEXT_BYTES], text[NUM_MAX_BYTES];
    int64_t by, n = 0, at_ms;
    struct slice words[2] = {c->argv[2]};
    struct db_ref ref;

    if (!arg_int(c, 3, &by) || !hash_key(c, DB_WRITE, &ref))
        return;
    if (find_field(&ref, words[0], scratch, &words[1]) &&
        !num_parse(words[1].ptr, words[1].len, &n)) {
        reply_error(c, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(n, by, &n)) {
        reply_error(c, "ERR increment or decrement would overflow");
        return;
    }
    words[1] = (struct slice){.ptr = text, .len = (size_t)(num_put(text, n) - text)};
    if (set_in_its_time(&ref, words, &at_ms) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_HASH, "hincrby", 1);
    reply_int(c, n);
}

/* parse_increment: argument 3. */
static bool
parse_increment(struct client *c, long double *ret)
{
    if (!long_double_parse(c->argv[3], ret)) {
        reply_error(c, "ERR value is not a valid float");
        return false;
    }
    if (isinf(*ret)) {
        reply_error(c, "ERR value is NaN or Infinity");
        return false;
    }
    return true;
}

/* say_rounded: another machine may round otherwise. */
static void
say_rounded(const struct client *c, const struct slice words[2], int64_t at_ms)
{
    char time[NUM_MAX_BYTES];

    if (at_ms == RECORD_NO_EXPIRE) {
        struct slice effect[] = {SLICE("HSET"), c->argv[1], words[0], words[1]};

        EFFECT(effect);
    } else {
        struct slice effect[] = {
            SLICE("HSETEX"), c->argv[1], SLICE("PXAT"), effect_number(time, at_ms),
            SLICE("FIELDS"), SLICE("1"), words[0],      words[1]};

        EFFECT(effect);
    }
}

void
cmd_hincrbyfloat(struct client *c)
{
    char scratch[LP_INT_TEXT_BYTES], text[LONG_DOUBLE_BYTES];
    struct slice words[2] = {c->argv[2], {.ptr = text}};
    long double by, n = 0;
    struct db_ref ref;
    struct slice old;
    int64_t at_ms;

    if (!parse_increment(c, &by) || !hash_key(c, DB_WRITE, &ref))
        return;
    if (find_field(&ref, words[0], scratch, &old) && !long_double_parse(old, &n)) {
        reply_error(c, "ERR hash value is not a float");
        return;
    }
    if ((words[1].len = long_double_put(text, n + by)) == 0) {
        reply_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    if (set_in_its_time(&ref, words, &at_ms) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_HASH, "hincrbyfloat", 1);
    if (unlikely(effects_are_wanted))
        say_rounded(c, words, at_ms);
    reply_bulk(c, text, words[1].len);
}

void
cmd_hdel(struct client *c)
{
    int64_t deleted = 0;
    struct db_ref ref;

    if (!hash_key(c, DB_WRITE, &ref))
        return;
    if (ref.rec != NULL && hash_delete(&ref, c->argv + 2, c->argc - 2, &deleted) < 0) {
        reply_no_memory(c);
        return;
    }
    if (deleted > 0)
        changed_taken(c, &ref, KEY_EVENT_HASH, "hdel", (uint64_t)deleted);
    reply_int(c, deleted);
}

/* ---- read ---- */

static void
reply_field(struct client *c, const struct db_ref *ref, struct slice field)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice value;

    if (find_field(ref, field, scratch, &value))
        reply_bulk(c, value.ptr, value.len);
    else
        reply_null(c);
}

void
cmd_hget(struct client *c)
{
    struct db_ref ref;

    if (hash_key(c, DB_READ, &ref))
        reply_field(c, &ref, c->argv[2]);
}

void
cmd_hmget(struct client *c)
{
    struct db_ref ref;

    if (!hash_key(c, DB_READ, &ref))
        return;
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_field(c, &ref, c->argv[i]);
}

void
cmd_hlen(struct client *c)
{
    struct db_ref ref;

    if (hash_key(c, DB_READ, &ref))
        reply_int(c, ref.rec == NULL ? 0 : (int64_t)hash_len(ref.rec));
}

void
cmd_hstrlen(struct client *c)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice value = {.len = 0};
    struct db_ref ref;

    if (hash_key(c, DB_READ, &ref))
        reply_int(c, find_field(&ref, c->argv[2], scratch, &value) ? (int64_t)value.len : 0);
}

void
cmd_hexists(struct client *c)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice value;
    struct db_ref ref;

    if (hash_key(c, DB_READ, &ref))
        reply_int(c, find_field(&ref, c->argv[2], scratch, &value));
}

static void
reply_pair(void *ctx, struct slice field, struct slice value)
{
    reply_bulk(ctx, field.ptr, field.len);
    reply_bulk(ctx, value.ptr, value.len);
}

static void
reply_pair_field(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    reply_bulk(ctx, field.ptr, field.len);
}

static void
reply_pair_value(void *ctx, struct slice field, struct slice value)
{
    (void)field;
    reply_bulk(ctx, value.ptr, value.len);
}

/* reply_all: the whole hash, as head says it begins. */
static void
reply_all(struct client *c, void (*head)(struct client *c, size_t count), hash_visitor visit)
{
    struct db_ref ref;

    if (!hash_key(c, DB_READ, &ref))
        return;
    head(c, ref.rec == NULL ? 0 : hash_shown(ref.rec));
    if (ref.rec != NULL)
        hash_each(ref.rec, visit, c);
}

void
cmd_hgetall(struct client *c)
{
    reply_all(c, reply_map, reply_pair);
}

void
cmd_hkeys(struct client *c)
{
    reply_all(c, reply_array, reply_pair_field);
}

void
cmd_hvals(struct client *c)
{
    reply_all(c, reply_array, reply_pair_value);
}

void
cmd_hscan(struct client *c)
{
    scan_elements(c, TYPE_HASH);
}
