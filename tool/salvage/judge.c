/* tool/salvage/judge.c - what of a scanned file is believed, by the sums of all of it: the rules
 * SV3 to SV7 of scan.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "tool/salvage/scan_impl.h"

enum {
    BELIEVED_BYTES = 512 << 20, /* no value is longer */
    ITEM_BYTES = 4              /* a key takes as much at least */
};

/* each_run: call `what` with each run; 0, -errno, or what it returned. */
static int
each_run(struct scan *s, int (*what)(struct scan *s, const struct run *r, void *ctx), void *ctx)
{
    struct run r;
    int e;

    for (uint64_t i = 0; i < s->runs.count; i++)
        if ((e = records_get(&s->runs, i, &r)) < 0 || (e = what(s, &r, ctx)) != 0)
            return e;
    return 0;
}

static uint64_t
keys_of(const struct db_sum *d)
{
    return d->keys + d->doubtful;
}

/* SV3 */

static bool
may_be_believed(const struct section *sec)
{
    return sec->end != SECTION_ENDED_EARLY &&
           (sec->keys >= SECTION_KEYS || sec->until - sec->from > BELIEVED_BYTES);
}

/* doubt_crowded: of a run in a section that is no more than possible, and in a database that has
 * more keys than it had, or of which nobody knows how many it had. */
static int
doubt_crowded(struct scan *s, const struct run *r, void *ctx)
{
    struct section *sec = &s->sections[r->section];
    const struct db_sum *d = scan_db(s, r->db);

    (void)ctx;
    if (r->section == 0 || sec->end == SECTION_END || r->keys == 0 ||
        sec->until - sec->from > BELIEVED_BYTES)
        return 0;
    if (d == NULL || d->said != 1 || keys_of(d) > d->said_keys)
        sec->is_believed = false;
    return 0;
}

static void
lose_section(struct scan *s, const struct section *sec, bool is_kept)
{
    struct loss l = {.from = sec->from,
                     .until = sec->until,
                     .db = sec->db,
                     .keys = sec->keys,
                     .kind = LOSS_DOUBTFUL,
                     .is_kept = is_kept};

    if (sec->from == sec->until)
        return;
    snprintf(l.reason, sizeof l.reason, "%s",
             sec->end == SECTION_ENDED_EARLY
                 ? "an RDB of its own, which may be the value of a key that was damaged"
                 : "read well between two damages, and may all the same be the value of a key that "
                   "was damaged");
    scan_lose(s, &l);
}

static int
judge_sections(struct scan *s)
{
    int r;

    for (unsigned i = 0; i < s->section_count; i++) {
        struct section *sec = &s->sections[i];

        sec->is_believed = i == 0 || sec->end == SECTION_END || may_be_believed(sec);
    }
    if ((r = each_run(s, doubt_crowded, NULL)) < 0)
        return r;
    for (unsigned i = 0; i < s->section_count; i++) {
        if (s->sections[i].is_believed)
            continue;
        lose_section(s, &s->sections[i], s->keep_doubtful);
        s->sections[i].is_believed = s->keep_doubtful;
    }
    return 0;
}

/* SV4 */

/* How a number of keys at a section's beginning is taken away. */
struct clip {
    uint32_t section;
    uint64_t due;           /* keys still to be taken */
    struct run run;         /* where it ends */
    struct clipped clipped; /* how */
    uint64_t until;
    bool is_over;
};

static int
clip_run(struct scan *s, const struct run *r, void *ctx)
{
    struct clip *c = ctx;

    (void)s;
    if (r->section != c->section || !r->is_inherited)
        return 0;
    if (r->keys > c->due) {
        c->run = *r;
        c->is_over = true;
        return 1;
    }
    c->due -= r->keys;
    c->until = r->until;
    return 0;
}

static const char crowded[] =
    "read well, but with them the database has more keys than it had when "
    "the file was written";

/* clip_section: so many keys at its beginning are not believed. */
static int
clip_section(struct scan *s, struct section *sec, uint64_t keys)
{
    struct clip c = {.section = (uint32_t)(sec - s->sections), .due = keys, .until = sec->from};
    struct loss l = {
        .from = sec->from, .db = sec->db, .kind = LOSS_DOUBTFUL, .is_kept = s->keep_doubtful};
    int r;

    if ((r = each_run(s, clip_run, &c)) < 0 ||
        (c.is_over && (r = clip_walk(s, c.run.from, c.due, UINT64_MAX, &c.clipped)) < 0))
        return r;
    if (c.is_over)
        c.until = c.clipped.at;
    l.until = c.until;
    l.keys = keys < sec->inherited ? keys : sec->inherited;
    snprintf(l.reason, sizeof l.reason, "%s", crowded);
    scan_lose(s, &l);
    if (s->keep_doubtful)
        return 0;
    sec->believed_from = c.until;
    sec->clipped_keys = c.clipped.keys;
    sec->clipped_expires = c.clipped.expires;
    return 0;
}

/* clip_tail: so many keys of database db at a section's end are not believed. */
static int
clip_tail(struct scan *s, struct section *sec, uint64_t db, uint64_t keys)
{
    struct loss l = {.from = sec->until, .until = sec->until, .db = db, .kind = LOSS_DOUBTFUL};
    struct clipped kept;
    struct run run;
    int r;

    for (uint64_t i = s->runs.count; i-- > 0 && keys > 0;) {
        if ((r = records_get(&s->runs, i, &run)) < 0)
            return r;
        if (run.section != sec - s->sections || run.db != db || run.keys == 0)
            continue;
        kept = (struct clipped){.at = run.from};
        if (run.keys > keys && (r = clip_walk(s, run.from, run.keys - keys, UINT64_MAX, &kept)) < 0)
            return r;
        keys -= keys < run.keys ? keys : run.keys;
        sec->believed_until = l.from = kept.at;
        sec->clipped_until_keys = kept.keys;
        sec->clipped_until_expires = kept.expires;
        l.keys += run.keys - kept.keys;
    }
    snprintf(l.reason, sizeof l.reason, "%s", crowded);
    if (l.keys > 0)
        scan_lose(s, &l);
    return 0;
}

static int
judge_last(struct scan *s)
{
    struct section *sec = &s->sections[s->section_count - 1];
    const struct db_sum *d = scan_db(s, sec->db);
    uint64_t keys;
    int r;

    if (s->section_count == 1 || sec->end != SECTION_END || d == NULL || d->said != 1)
        return 0;
    keys = keys_of(d) + 1; /* what is lost was a key at least */
    if (keys <= d->said_keys)
        return 0;
    keys += DOUBTED - d->said_keys;
    if (!s->keep_doubtful && (r = clip_tail(s, sec - 1, sec->db, keys)) < 0)
        return r;
    return sec->inherited == 0 ? 0 : clip_section(s, sec, keys);
}

/* SV5 */

static bool
may_have_lost_expiry(struct scan *s, const struct run *r)
{
    const struct db_sum *d = r->is_head ? scan_db(s, r->db) : NULL;

    return r->is_head &&
           (d == NULL || d->said != 1 || d->expires + d->doubtful_expires != d->said_expires);
}

static int
judge_head(struct scan *s, const struct run *r, void *ctx)
{
    struct loss l = {.from = r->from,
                     .until = r->until,
                     .db = r->db,
                     .keys = 1,
                     .kind = LOSS_DOUBTFUL,
                     .is_kept = s->keep_doubtful};
    const struct section *sec = &s->sections[r->section];

    (void)ctx;
    if (!sec->is_believed || r->from < sec->believed_from || !may_have_lost_expiry(s, r))
        return 0;
    snprintf(l.reason, sizeof l.reason,
             "an expiry time of it may have been lost in the damage before it");
    scan_lose(s, &l);
    return 0;
}

/* SV6 */

static bool
is_used(const struct scan *s, uint64_t db)
{
    for (unsigned i = 0; i < s->db_count; i++)
        if (s->dbs[i].db == db && (keys_of(&s->dbs[i]) > 0 || s->dbs[i].said > 0))
            return true;
    return false;
}

/* real_db: the database whose SELECTDB was lost: they rise in what servers write. */
static uint64_t
real_db(const struct scan *s, const struct section *sec, bool *ret_is_sure)
{
    uint64_t db = sec->last_db == UINT64_MAX ? 0 : sec->last_db + 1;

    if (sec->last_db != UINT64_MAX && sec->last_db >= DB_UNKNOWN)
        db = 0;
    *ret_is_sure = sec->next_db != UINT64_MAX && sec->next_db == db + 1 &&
                   (sec->last_db == UINT64_MAX || sec->last_db < DB_UNKNOWN);
    while (is_used(s, db))
        db++;
    return db;
}

static void
lose_database(struct scan *s, const struct section *sec, uint64_t db)
{
    struct loss l = {.from = sec->from,
                     .until = sec->until,
                     .db = db,
                     .keys = sec->inherited,
                     .kind = LOSS_DATABASE,
                     .is_kept = true};

    if (sec->db >= DB_UNKNOWN)
        snprintf(l.reason, sizeof l.reason,
                 "the number of their database is lost: put into %llu, which no other key has",
                 (unsigned long long)db);
    else
        snprintf(l.reason, sizeof l.reason,
                 "a change of database may be lost before them: left in %llu",
                 (unsigned long long)db);
    scan_lose(s, &l);
}

static void
judge_db(struct scan *s, struct section *sec)
{
    struct db_sum *d;
    bool is_sure;

    sec->real_db = sec->db;
    if (sec == s->sections || sec->inherited == 0 || !sec->is_believed)
        return;
    if (sec->db >= DB_UNKNOWN)
        sec->real_db = real_db(s, sec, &is_sure);
    else
        is_sure = sec == s->sections + 1 && sec->due != UINT64_MAX &&
                  sec->due > sec->gap / ITEM_BYTES && sec->inherited <= sec->due;
    if (sec->db >= DB_UNKNOWN && (d = scan_db(s, sec->real_db)) != NULL)
        d->said++; /* used from now on */
    if (!is_sure)
        lose_database(s, sec, sec->real_db);
}

bool
judge_keeps(struct scan *s, struct run *r)
{
    const struct section *sec = &s->sections[r->section];

    if (!sec->is_believed || r->until <= sec->believed_from || r->from >= sec->believed_until ||
        (!s->keep_doubtful && may_have_lost_expiry(s, r)))
        return false;
    if (r->from < sec->believed_from) {
        r->from = sec->believed_from;
        r->keys -= sec->clipped_keys;
        r->expires -= sec->clipped_expires;
    }
    if (r->until > sec->believed_until) {
        r->until = sec->believed_until;
        r->keys = sec->clipped_until_keys;
        r->expires = sec->clipped_until_expires;
    }
    if (r->db >= DB_UNKNOWN)
        r->db = s->sections[r->db - DB_UNKNOWN].real_db;
    return true;
}

/* SV7 */

static void
lose_count(struct scan *s, const struct db_sum *d)
{
    struct loss l = {.until = s->flat->size, .db = d->db, .kind = LOSS_COUNT, .is_kept = true};

    snprintf(
        l.reason, sizeof l.reason,
        "database %llu has %llu keys, and had %llu when the file was written: a damaged length "
        "may have made one key of many, also of another database",
        (unsigned long long)d->db, (unsigned long long)keys_of(d),
        (unsigned long long)d->said_keys);
    scan_lose(s, &l);
}

bool
judge_counts(struct scan *s, bool tell)
{
    bool is_wrong = false;

    for (unsigned i = 0; i < s->db_count; i++)
        if (s->dbs[i].said == 1 && keys_of(&s->dbs[i]) != s->dbs[i].said_keys) {
            is_wrong = true;
            if (tell)
                lose_count(s, &s->dbs[i]);
        }
    return is_wrong;
}

static int
add_kept(struct scan *s, const struct run *r, void *ctx)
{
    struct run kept = *r;
    struct db_sum *d;

    (void)ctx;
    if (!judge_keeps(s, &kept))
        return 0;
    s->kept_keys += kept.keys;
    if ((d = scan_db(s, kept.db)) == NULL)
        return 0;
    d->kept_keys += kept.keys;
    d->kept_expires += kept.expires;
    return 0;
}

int
judge(struct scan *s)
{
    int r;

    if ((r = judge_sections(s)) < 0 || (r = judge_last(s)) < 0)
        return r;
    for (unsigned i = 0; i < s->section_count; i++)
        judge_db(s, &s->sections[i]);
    if ((r = each_run(s, judge_head, NULL)) < 0 || (r = each_run(s, add_kept, NULL)) < 0)
        return r;
    return s->failed;
}
