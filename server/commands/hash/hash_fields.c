/* server/commands/hash/hash_fields.c - see hash_fields.h; and finding hashes. */
#include "server/commands/hash/hash_fields.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/keyhash.h"
#include "mm/base/num.h"
#include "server/commands/hash/hash_key.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/cmd.h"
#include "server/exec/effect.h"
#include "server/net/reply.h"

bool
hash_key_other(struct client *c, struct db_ref *ref)
{
    if (!hash_is(ref->rec)) {
        reply_wrong_type(c);
        return false;
    }
    hash_tidy(ref);
    return true;
}

/* ---- arguments ---- */

bool
hash_time(struct client *c, int i, bool in_seconds, bool is_absolute, int64_t *ret_ms)
{
    int64_t base = is_absolute ? 0 : clock_now.ms, n;

    if (!arg_int(c, i, &n))
        return false;
    if (n < 0) {
        reply_error(c, "ERR invalid expire time, must be >= 0");
        return false;
    }
    if (n >= (in_seconds ? HASH_TIME_MAX_MS / 1000 + 1 : HASH_TIME_MAX_MS) ||
        (in_seconds ? n * 1000 : n) >= HASH_TIME_MAX_MS - base) {
        reply_errorf(c, "ERR invalid expire time in '%s' command", c->cmd->full_name);
        return false;
    }
    *ret_ms = base + (in_seconds ? n * 1000 : n);
    return true;
}

bool
hash_fields(struct client *c, int i, const char *count_error, int *ret_first, int *ret_count)
{
    int64_t count;

    if (i >= c->argc || !arg_is(c, i, "fields")) {
        reply_error(c, "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (i + 1 >= c->argc) {
        arg_wrong_count(c);
        return false;
    }
    if (!arg_int_from(c, i + 1, 1, count_error, &count))
        return false;
    if (count != c->argc - i - 2) {
        reply_error(c, "ERR The `numfields` parameter must match the number of arguments");
        return false;
    }
    *ret_first = i + 2;
    *ret_count = (int)count;
    return true;
}

/* ---- words that come twice ---- */

bool
same_words_init(struct same_words *s, const struct slice *words, int count)
{
    uint32_t room = 4;

    *s = (struct same_words){.words = words, .count = count};
    if (count < 2)
        return true; /* nothing to compare */
    while (room < 2 * (uint32_t)count)
        room *= 2;
    s->mask = room - 1;
    s->slot = calloc(room, sizeof *s->slot);
    return s->slot != NULL;
}

int
same_words_earlier(struct same_words *s, int i)
{
    uint32_t at;

    if (s->slot == NULL)
        return i;
    for (at = (uint32_t)keyhash(s->words[i]) & s->mask; s->slot[at] != 0; at = (at + 1) & s->mask)
        if (slice_equal(s->words[s->slot[at] - 1], s->words[i]))
            return s->slot[at] - 1;
    s->slot[at] = i + 1;
    return i;
}

void
same_words_fini(struct same_words *s)
{
    free(s->slot);
}

/* ---- what is to be done ---- */

bool
field_plan_init(struct field_plan *p, int count)
{
    *p = (struct field_plan){.items = malloc((size_t)count * sizeof *p->items),
                             .gone = malloc((size_t)count * sizeof *p->gone)};
    if (p->items != NULL && p->gone != NULL)
        return true;
    field_plan_fini(p);
    return false;
}

void
field_plan_fini(struct field_plan *p)
{
    free(p->items);
    free(p->gone);
}

bool
field_plan_expiry(struct field_plan *p, struct slice field, int64_t expire_at_ms)
{
    bool is_over = expire_at_ms != RECORD_NO_EXPIRE && expire_at_ms <= clock_now.ms;

    if (is_over)
        p->gone[p->gone_count++] = field;
    else
        p->items[p->item_count++] =
            (struct hash_item){.field = field, .expire_at_ms = expire_at_ms};
    return is_over;
}

/* say_run: HPEXPIREAT, HPERSIST or HSETEX for items of one time. */
static bool
say_run(struct client *c, const struct hash_item *items, int count)
{
    int64_t at_ms = items[0].expire_at_ms;
    bool with_values = items[0].value.ptr != NULL, is_timed = at_ms != RECORD_NO_EXPIRE;
    char number[NUM_MAX_BYTES], time[NUM_MAX_BYTES];
    struct slice *words = malloc((size_t)(6 + 2 * count) * sizeof *words);
    int n = 2;

    if (words == NULL)
        return false;
    words[0] = with_values ? SLICE("HSETEX") : is_timed ? SLICE("HPEXPIREAT") : SLICE("HPERSIST");
    words[1] = c->argv[1];
    if (with_values && is_timed)
        words[n++] = SLICE("PXAT");
    if (is_timed)
        words[n++] = effect_number(time, at_ms);
    words[n++] = SLICE("FIELDS");
    words[n++] = effect_number(number, count);
    for (int i = 0; i < count; i++) {
        words[n++] = items[i].field;
        if (with_values)
            words[n++] = items[i].value;
    }
    effect_instead(n, words);
    free(words);
    return true;
}

static void
say_items(struct client *c, const struct field_plan *p)
{
    for (int from = 0, to; from < p->item_count; from = to) {
        to = from + 1;
        while (to < p->item_count && p->items[to].expire_at_ms == p->items[from].expire_at_ms)
            to++;
        if (!say_run(c, p->items + from, to - from)) {
            effect_lost();
            return;
        }
    }
}

static void
say_gone(struct client *c, const struct field_plan *p)
{
    struct slice *words = malloc((size_t)(2 + p->gone_count) * sizeof *words);

    if (words == NULL) {
        effect_lost();
        return;
    }
    words[0] = SLICE("HDEL");
    words[1] = c->argv[1];
    memcpy(words + 2, p->gone, (size_t)p->gone_count * sizeof *words);
    effect_instead(2 + p->gone_count, words);
    free(words);
}

static void
tell_items(struct client *c, const struct field_plan *p, const char *event)
{
    uint64_t n = (uint64_t)p->item_count;

    changed(c, c->argv[1], KEY_EVENT_HASH, event != NULL ? event : "hset", n);
    if (event == NULL && p->items[0].expire_at_ms != RECORD_NO_EXPIRE)
        key_event(c->db, c->argv[1], KEY_EVENT_HASH, "hexpire");
    if (unlikely(effects_are_wanted))
        say_items(c, p);
}

int
field_plan_run(struct client *c, struct db_ref *ref, const struct field_plan *p, const char *event)
{
    int64_t ignored, deleted = 0;

    debug_check(p->item_count == 0 || p->gone_count == 0); /* one time for all */
    if (p->item_count > 0) {
        if (hash_put(ref, p->items, p->item_count, &ignored) < 0)
            return -ENOMEM;
        tell_items(c, p, event);
    }
    if (p->gone_count > 0) {
        if (hash_delete(ref, p->gone, p->gone_count, &deleted) < 0)
            return -ENOMEM;
        if (deleted > 0)
            changed_taken(c, ref, KEY_EVENT_HASH, "hdel", (uint64_t)deleted);
        if (deleted > 0 && unlikely(effects_are_wanted))
            say_gone(c, p);
    }
    return 0;
}
