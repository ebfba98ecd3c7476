/* server/commands/hash/hash_fields.h - what the commands on fields that expire have in common:
 * their arguments, and how they tell what they did.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_HASH_HASH_FIELDS_H
#define SERVER_COMMANDS_HASH_HASH_FIELDS_H

#include "server/data/hash/hash.h"
#include "server/net/client.h"

/* When fields expire, as Redis bounds it: 2^46 - 1 ms. */
#define HASH_TIME_MAX_MS ((int64_t)1 << 46)

/* hash_time: argument i as a time in unix ms: from now on, or as it is.  False: an error was
 * replied. */
bool hash_time(struct client *c, int i, bool in_seconds, bool is_absolute, int64_t *ret_ms);
/* hash_fields: FIELDS numfields field ..., from argument i on, to the last one.  count_error: for a
 * number that is none. */
bool hash_fields(struct client *c, int i, const char *count_error, int *ret_first, int *ret_count);

/* Which arguments of a command are the same word as an earlier one. */
struct same_words {
    const struct slice *words;
    int count, *slot; /* slot: an index, plus one; 0: free */
    uint32_t mask;
};
/* same_words_init: false: no memory.
 * same_words_earlier: the index of the first word that equals number i; i: it is the first.  To be
 * asked for 0, 1, 2 ... in turn. */
bool same_words_init(struct same_words *s, const struct slice *words, int count);
int same_words_earlier(struct same_words *s, int i);
void same_words_fini(struct same_words *s);

/* What is to be done to fields, all or nothing: those at `items` get times (and values), those at
 * `gone` go. */
struct field_plan {
    struct hash_item *items;
    struct slice *gone;
    int item_count, gone_count;
};
/* field_plan_init: room for so many; false: no memory. */
bool field_plan_init(struct field_plan *p, int count);
void field_plan_fini(struct field_plan *p);
/* field_plan_expiry: the field, which is there, gets this time, or goes where that has passed.
 * True: it goes. */
bool field_plan_expiry(struct field_plan *p, struct slice field, int64_t expire_at_ms);
/* field_plan_run: 0, or -ENOMEM and nothing has changed.  event: of the items, NULL: "hset" and,
 * with times, "hexpire".  What went is an "hdel".  The effect is told in words for any time. */
int field_plan_run(struct client *c, struct db_ref *ref, const struct field_plan *p,
                   const char *event);

#endif
