/* server/data/db/db_work.c - what the loop does for the databases between commands: flushed
 * databases and dead structures (db_bury.c) are freed in slices, keys expire. */
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "mm/base/os.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"

enum {
    SLICE = 64,       /* entries between two looks at the clock */
    DEAD_PATIENCE = 1 /* so many dead databases wait for the end of a cut that does not see them */
};

/* ---- dead databases ---- */

static uint64_t dead_keys, freed_keys; /* of dead databases: there, freed */

uint64_t
db_dead_values(void)
{
    return db_buried.waiting + dead_keys;
}

uint64_t
db_freed_values(void)
{
    return db_buried.freed + freed_keys;
}

void
db_reset_freed_values(void)
{
    db_buried.freed = freed_keys = 0;
}

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
    if (db->timed.buckets > 0) {
        ktable_empty(&db->timed, &db->next_bucket, records, ignore_record, NULL);
        return false;
    }
    return ktable_empty(&db->keys, &db->next_bucket, records, free_record_and_value, freed);
}

/* empty_whole: all its keys, at once. */
static void
empty_whole(struct db *db)
{
    uint64_t freed = 0;

    while (!empty(db, UINT64_MAX, &freed))
        ;
}

void
db_fini(void)
{
    for (uint32_t i = 0; i < db_map.physical_top; i++)
        if (db_map.physical[i] != NULL) {
            empty_whole(db_map.physical[i]);
            free(db_map.physical[i]);
        }
    dead_keys = 0;
    db_buried_fini();
    free(db_map.physical);
    free(db_map.logical);
    db_map = (struct db_map){.dead = NULL};
}

static void
push_dead(struct db *db)
{
    struct mm_figures f;

    mm_figures(&f);
    db->died = f.epoch;
    db->index = -1;
    db->next_dead = NULL;
    if (db_map.dead == NULL)
        db_map.dead = db;
    else
        db_map.dead_tail->next_dead = db;
    db_map.dead_tail = db;
    db_map.dead_count++;
    dead_keys += db->keys.count;
}

uint64_t
db_flush(int index)
{
    struct db *db = db_select(index), *fresh;
    uint64_t keys;

    must(db != NULL);
    keys = db->keys.count;
    if (keys == 0)
        return 0;
    if ((fresh = db_new(index)) != NULL) {
        db_map.logical[index] = fresh;
        push_dead(db);
        return keys;
    }
    /* Without memory or a number for another one, this one is emptied on the spot. */
    empty_whole(db);
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
    if (db_map.dead_count <= DEAD_PATIENCE)
        return false;
    mm_figures(&f);
    return db->died != f.epoch;
}

/* free_dead: the oldest first: where it may not go, no other may.  True: time is up. */
static bool
free_dead(int64_t until_us)
{
    while (db_map.dead != NULL && dead_may_go(db_map.dead)) {
        struct db *db = db_map.dead;
        uint64_t freed = 0;
        bool gone = empty(db, SLICE, &freed);

        dead_keys -= freed;
        freed_keys += freed;
        if (gone) {
            db_map.dead = db->next_dead;
            db_map.dead_count--;
            db->next_dead = db_map.hollow;
            db_map.hollow = db;
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
    while (db_map.hollow != NULL && !mm_barrier_on) {
        struct db *db = db_map.hollow;

        db_map.hollow = db->next_dead;
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

    if (db_buried.waiting == 0 && (db_map.dead == NULL || !dead_may_go(db_map.dead)))
        return false;
    (void)(free_dead(until_us) || db_free_buried(until_us));
    return true;
}

bool
db_work(unsigned budget_us)
{
    int64_t until_us = os_monotonic_us() + budget_us;

    /* The corpses come last: the others make some. */
    return free_dead(until_us) || free_hollow(until_us) ||
           (!db_state.expiry_paused && expire_run(until_us)) || db_free_buried(until_us);
}

/* ---- for tests ---- */

struct verify {
    struct db *db;
    uint64_t listed[DB_LISTS];
    enum db_list list; /* that is looked at */
};

static void
verify_record(void *ctx, const void *record)
{
    const struct record *r = record;
    struct verify *v = ctx;

    must(record_db(r) == v->db->number);
    for (enum db_list i = 0; i < DB_LISTS; i++)
        v->listed[i] += db_is_on_list(r, i);
    if (record_encoding(r) == ENC_ROOT)
        type_of(record_type(r))->verify(record_root(r));
    else if (type_of(record_type(r))->verify_blob != NULL)
        type_of(record_type(r))->verify_blob(record_blob(r), record_has(r, RECORD_INTSET));
}

static void
verify_listed(void *ctx, const void *record)
{
    const struct record *r = record;
    struct verify *v = ctx;
    struct ktable_ref at;

    must(db_is_on_list(r, v->list) && record_is_listed(r));
    must(ktable_find_key(&v->db->keys, keyhash(record_key(r)), record_key(r), &at) == r); /* D1 */
}

void
db_verify(void)
{
    for (int i = 0; i < db_map.logical_count; i++) {
        struct verify v = {.db = db_map.logical[i]};

        ktable_verify(&v.db->keys);
        db_each(v.db, verify_record, &v);
        for (v.list = 0; v.list < DB_LISTS; v.list++) {
            const struct ktable *t = db_list(v.db, v.list);

            ktable_verify(t);
            must(v.listed[v.list] == t->count);
            for (uint64_t b = 0; b < t->buckets; b++)
                ktable_visit_bucket(t, b, verify_listed, &v);
        }
    }
}
