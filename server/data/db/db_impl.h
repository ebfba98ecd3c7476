/* server/data/db/db_impl.h - the inside of a database, for db*.c, expire.c and save.c only.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DB_IMPL_H
#define SERVER_DATA_DB_DB_IMPL_H

#include "mm/mm.h"
#include "server/data/db/db.h"

enum { DB_PHYSICAL_MAX = 65536 };

struct db {
    uint16_t number;
    int index; /* logical number; -1: dead */
    struct ktable keys;
    struct ktable expires; /* the same records, those with an expiry (D1) */
    int64_t avg_ttl_ms;
    struct ktable_place expire_at; /* where active expiry goes on */
    /* dead ones */
    struct db *next_dead;
    epoch_t died; /* the epoch then */
    /* what is left begins here: of expires until that is gone, then of keys */
    uint64_t next_bucket;
};

struct databases {
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
extern struct databases databases;

/* db_new: an empty physical database; NULL: no memory or no number. */
struct db *db_new(int index);
/* db_release: its tables are empty; the number is free again (D4). */
void db_release(struct db *db);
/* db_empty: all its keys, at once. */
void db_empty(struct db *db);
/* db_work_fini: what waits to be freed is freed. */
void db_work_fini(void);
/* db_expire_record: delete a record that has expired, and count it. */
void db_expire_record(struct db *db, const struct record *r);

/* expire_run: active expiry, until the monotonic time until_us at most.  True: more to do right
 * now. */
bool expire_run(int64_t until_us);

#endif
