/* server/data/db/db_impl.h - the inside of a database, for the files of this folder.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DB_IMPL_H
#define SERVER_DATA_DB_DB_IMPL_H

#include "mm/base/clock.h"
#include "mm/mm.h"
#include "server/data/db/db.h"
#include "server/data/db/listener.h"

enum { DB_PHYSICAL_MAX = 65536 };

struct db {
    uint16_t number;
    int index; /* logical number; -1: dead */
    struct ktable keys;
    struct ktable expires; /* the same records, those with an expiry (D1) */
    struct ktable timed;   /* those of hashes with fields that expire (D1) */
    int64_t avg_ttl_ms;
    struct ktable_place expire_at; /* where active expiry goes on */
    struct ktable_place timed_at;  /* ... that of fields */
    /* dead ones */
    struct db *next_dead;
    epoch_t died; /* the epoch then */
    /* what is left begins here: of expires until that is gone, then of timed, then of keys */
    uint64_t next_bucket;
};

struct db_map {
    struct db **logical;
    int logical_count;
    struct db **physical;                 /* by number; NULL: free */
    uint32_t physical_room, physical_top; /* numbers below top have been used */
    uint32_t physical_used;               /* of these, not free now */
    uint32_t next_number;                 /* where the search for a free one goes on */
    struct db *dead, *dead_tail;          /* flushed, oldest first */
    /* dead and empty: they wait for the end of a cut to give their numbers back (D4) */
    struct db *hollow;
    unsigned dead_count;
};
extern struct db_map db_map;

/* ---- what is told: one load and a branch while nobody listens (listener.h) ---- */

extern const struct db_listener *db_listener;

static inline void
db_tell_event(struct db *db, struct slice key, unsigned class, const char *event)
{
    if (unlikely((key_event_listeners & class) != 0))
        db_listener->event(db, key, class, event);
}

static inline void
db_tell_changed(struct db *db, struct slice key, unsigned class, const char *event)
{
    if (unlikely(key_event_listeners != 0))
        db_listener->changed(db, key, class, event);
}

static inline void
db_tell_gone(struct db *db, struct slice key)
{
    if (unlikely(key_waiters != 0))
        db_listener->gone(db, key);
}

/* ---- the tables beside that of keys (D1) ---- */

enum db_list { DB_LIST_EXPIRES, DB_LIST_TIMED, DB_LISTS };

static inline struct ktable *
db_list(struct db *db, enum db_list list)
{
    return list == DB_LIST_EXPIRES ? &db->expires : &db->timed;
}

static inline bool
db_is_on_list(const struct record *r, enum db_list list)
{
    return list == DB_LIST_EXPIRES ? record_has(r, RECORD_HAS_EXPIRE) : record_is_timed(r);
}

/* db_is_held: must the data stay as it is? */
static inline bool
db_is_held(void)
{
    return unlikely(db_held_for_save) ||
           (unlikely(db_held_until_ms != 0) && clock_now.ms < db_held_until_ms);
}

/* ---- within ---- */

/* db_new: an empty physical database; NULL: no memory or no number. */
struct db *db_new(int index);
/* db_release: its tables are empty; the number is free again (D4). */
void db_release(struct db *db);
/* What was buried (db_bury()): how many structures wait; how many were freed. */
struct db_buried {
    uint64_t waiting, freed;
};
extern struct db_buried db_buried;
/* db_free_buried: until the monotonic time until_us; true: time is up.
 * db_buried_fini: all of it. */
bool db_free_buried(int64_t until_us);
void db_buried_fini(void);

/* expire_run: active expiry, until the monotonic time until_us at most.  True: more to do right
 * now. */
bool expire_run(int64_t until_us);

#endif
