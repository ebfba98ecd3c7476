/* server/data/db/db_work.c - what the loop does for the databases between commands: flushed
 * databases and dead structures are freed in slices, keys expire. */
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "mm/base/os.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"

enum {
    SLICE = 64,       /* entries between two looks at the clock */
    SMALL = 64,       /* a structure of so many elements is freed at once: as in Redis */
    DEAD_PATIENCE = 1 /* so many dead databases wait for the end of a cut that does not see them */
};

/* ---- dead structures ---- */

struct corpse {
    const struct type_ops *type;
    const void *root;
    struct drop_cursor at;
    struct corpse *link;
};
static struct corpse *corpses;          /* newest first */
static uint64_t dead_values, dead_keys; /* keys: of dead databases */
static uint64_t freed_values;           /* keys, too */

uint64_t
db_dead_values(void)
{
    return dead_values + dead_keys;
}

uint64_t
db_freed_values(void)
{
    return freed_values;
}

void
db_reset_freed_values(void)
{
    freed_values = 0;
}

/* drop_whole: all that is left, at once. */
static void
drop_whole(const struct type_ops *type, const void *root, struct drop_cursor *at)
{
    while (!type->drop(root, at, UINT64_MAX))
        ;
}

void
db_bury(enum value_type type, const void *root)
{
    const struct type_ops *ops = type_of(type);
    struct corpse *c;

    if (ops->elements(root) <= SMALL || fault_point(FAULT_side_alloc) ||
        (c = malloc(sizeof *c)) == NULL) {
        drop_whole(ops, root, &(struct drop_cursor){.at = {0}});
        return;
    }
    *c = (struct corpse){.type = ops, .root = root, .link = corpses};
    dead_values++;
    corpses = c;
}

/* free_corpses: true: time is up. */
static bool
free_corpses(int64_t until_us)
{
    while (corpses != NULL) {
        struct corpse *c = corpses;

        if (c->type->drop(c->root, &c->at, SLICE)) {
            corpses = c->link;
            free(c);
            dead_values--;
            freed_values++;
        }
        if (os_monotonic_us() >= until_us)
            return true;
    }
    return false;
}

void
db_work_fini(void)
{
    dead_keys = 0;
    while (corpses != NULL) {
        struct corpse *c = corpses;

        drop_whole(c->type, c->root, &c->at);
        corpses = c->link;
        free(c);
        dead_values--;
    }
}

/* ---- dead databases ---- */

/* free_record_and_value: ctx: how many it were. */
static void
free_record_and_value(void *ctx, const void *record)
{
    struct value gone = value_of(record);

    ++*(uint64_t *)ctx;
    mm_free(record);
    value_free(&gone);
}

static void
ignore_record(void *ctx, const void *record)
{
    (void)ctx;
    (void)record;
}

/* empty: forget and free about `records` keys; *freed counts them.  True: none is left. */
static bool
empty(struct db *db, uint64_t records, uint64_t *freed)
{
    if (db->expires.buckets > 0) {
        ktable_empty(&db->expires, &db->next_bucket, records, ignore_record, NULL);
        return false;
    }
    return ktable_empty(&db->keys, &db->next_bucket, records, free_record_and_value, freed);
}

void
db_empty(struct db *db)
{
    uint64_t freed = 0;

    while (!empty(db, UINT64_MAX, &freed))
        ;
}

static void
push_dead(struct db *db)
{
    struct mm_figures f;

    mm_figures(&f);
    db->died = f.epoch;
    db->index = -1;
    db->next_dead = NULL;
    if (databases.dead == NULL)
        databases.dead = db;
    else
        databases.dead_tail->next_dead = db;
    databases.dead_tail = db;
    databases.dead_count++;
    dead_keys += db->keys.count;
}

uint64_t
db_flush(int index)
{
    struct db *db = databases.logical[index], *fresh;
    uint64_t keys = db->keys.count;

    if (keys == 0)
        return 0;
    if ((fresh = db_new(index)) != NULL) {
        databases.logical[index] = fresh;
        push_dead(db);
        return keys;
    }
    /* Without memory or a number for another one, this one is emptied on the spot. */
    db_empty(db);
    return keys;
}

/* dead_may_go: while a cut is open, what it can see waits: freed, it would only be charged as
 * retired.  So would what was dead before; it waits too, unless there is more than one: where cuts
 * follow each other closely, flushed data must not pile up. */
static bool
dead_may_go(const struct db *db)
{
    struct mm_figures f;

    if (!mm_barrier_on)
        return true;
    if (databases.dead_count <= DEAD_PATIENCE)
        return false;
    mm_figures(&f);
    return db->died != f.epoch;
}

/* free_dead: the oldest first: where it may not go, no other may.  True: time is up. */
static bool
free_dead(int64_t until_us)
{
    while (databases.dead != NULL && dead_may_go(databases.dead)) {
        struct db *db = databases.dead;
        uint64_t freed = 0;
        bool gone = empty(db, SLICE, &freed);

        dead_keys -= freed;
        freed_values += freed;
        if (gone) {
            databases.dead = db->next_dead;
            databases.dead_count--;
            db->next_dead = databases.hollow;
            databases.hollow = db;
        }
        if (os_monotonic_us() >= until_us)
            return true;
    }
    return false;
}

/* free_hollow: D4.  True: time is up. */
static bool
free_hollow(int64_t until_us)
{
    while (databases.hollow != NULL && !mm_barrier_on) {
        struct db *db = databases.hollow;

        databases.hollow = db->next_dead;
        db_release(db);
        if (os_monotonic_us() >= until_us)
            return true;
    }
    return false;
}

bool
db_free_dead(unsigned budget_us)
{
    int64_t until_us = os_monotonic_us() + budget_us;

    if (corpses == NULL && (databases.dead == NULL || !dead_may_go(databases.dead)))
        return false;
    (void)(free_dead(until_us) || free_corpses(until_us));
    return true;
}

bool
db_work(unsigned budget_us)
{
    int64_t until_us = os_monotonic_us() + budget_us;

    /* The corpses come last: the others make some. */
    return free_dead(until_us) || free_hollow(until_us) ||
           (!db_state.expiry_paused && expire_run(until_us)) || free_corpses(until_us);
}

/* ---- for tests ---- */

struct verify {
    struct db *db;
    uint64_t expiring;
};

static void
verify_record(void *ctx, const void *record)
{
    const struct record *r = record;
    struct verify *v = ctx;

    must(record_db(r) == v->db->number);
    v->expiring += record_has(r, RECORD_HAS_EXPIRE);
    if (record_encoding(r) == ENC_ROOT)
        type_of(record_type(r))->verify(record_root(r));
}

static void
verify_expiring(void *ctx, const void *record)
{
    const struct record *r = record;
    struct verify *v = ctx;
    struct ktable_ref at;

    must(record_has(r, RECORD_HAS_EXPIRE));
    must(ktable_find_key(&v->db->keys, keyhash(record_key(r)), record_key(r), &at) == r); /* D1 */
}

void
db_verify(void)
{
    for (int i = 0; i < databases.logical_count; i++) {
        struct verify v = {.db = databases.logical[i]};

        ktable_verify(&v.db->keys);
        ktable_verify(&v.db->expires);
        db_each(v.db, verify_record, &v);
        must(v.expiring == v.db->expires.count);
        for (uint64_t b = 0; b < v.db->expires.buckets; b++)
            ktable_visit_bucket(&v.db->expires, b, verify_expiring, &v);
    }
}
