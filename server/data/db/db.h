/* server/data/db/db.h - databases: logical numbers, physical keyspaces, keys with expiry.
 *
 * A client sees logical databases; each is, at a time, one physical database, whose number stands
 * in its records. SWAPDB and FLUSHDB change the map only.
 *
 *   D1  A key stands in its database's table of keys, and, if it expires, in its table of expiries
 *       too; if it is a hash with fields that expire, in its table of these.
 *   D2  Whatever may fail is done before the first visible change; after -ENOMEM everything is as
 *       it was.
 *   D3  A record goes at once when its key does (S1); a large structure that it held may be freed
 *       later, by db_work().
 *   D4  A physical number is given away again only when its database is empty and no cut is open.
 *
 * A record pointer is good until the next call that may change or expire its key.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_DB_H
#define SERVER_DATA_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/data/db/evict_policy.h"
#include "server/data/db/ktable.h"
#include "server/data/db/record.h"

struct db; /* a physical database */

struct db_state {
    /* changes since the last successful save, as Redis counts them: handlers add what they
     * changed */
    uint64_t dirty;
    unsigned policy;    /* enum evict_policy: under an LFU one, clock words are counters (lfu.h) */
    bool is_bounded;    /* there is a maxmemory */
    bool active_expire; /* DEBUG SET-ACTIVE-EXPIRE */
    bool expiry_paused; /* DEBUG PAUSE-CRON: as if active_expire were off */
    bool loading;       /* a dump is being loaded */
    unsigned sliced_dumps; /* open: what they read must not move (dump_slices.h) */
    bool skip_checksum;    /* DEBUG SET-SKIP-CHECKSUM-VALIDATION */
};
extern struct db_state db_state;

/* db_counts_use: is it noted how often a key is used, and not when? */
static inline bool
db_counts_use(void)
{
    return (db_state.policy & EVICT_LFU) != 0;
}

/* db_init: logical databases 0 .. count-1, all empty. 0 or -ENOMEM.  After mm_init(). */
int db_init(int count);
void db_fini(void);
int db_count(void);
/* the physical database now behind a logical number; NULL out of range */
struct db *db_select(int index);
int db_index_of(const struct db *db); /* its logical number; -1 for a dead one */
uint64_t db_size(const struct db *db);
uint64_t db_expires(const struct db *db);
uint64_t db_timed(const struct db *db); /* hashes with fields that expire */
uint64_t db_total_timed(void);
int64_t db_avg_ttl_ms(const struct db *db);
uint64_t db_total_keys(void);
/* db_table_of_keys, db_table_of_expiring: the database's tables, all keys and those that expire:
 * to be looked at and drawn from. */
const struct ktable *db_table_of_keys(const struct db *db);
const struct ktable *db_table_of_expiring(const struct db *db);
/* db_table_bytes: memory of the hash tables beside the arena.
 * db_mapped_bytes: of that, what is not in the C library's figure: where both are added. */
size_t db_table_bytes(void);
size_t db_mapped_bytes(void);

/* ---- lookup ---- */

/* Where a key stands, or would: for changing it without a second search.  Good until the database
 * changes. */
struct db_ref {
    struct db *db;
    struct slice key;
    uint64_t hash;
    const struct record *rec; /* NULL: not there */
    struct ktable_ref at;
};

enum db_lookup_flag {
    DB_COUNT_HIT = 1, /* keyspace_hits or keyspace_misses */
    DB_TOUCH = 2,     /* the access clock */
    DB_QUIET = 4,     /* no keymiss event */
    DB_EXPIRED = 8,   /* one that has expired is found: it is going to be replaced */
    DB_READ = DB_COUNT_HIT | DB_TOUCH,
    DB_WRITE = DB_TOUCH,
    DB_LOOK = DB_COUNT_HIT /* a read that is no use: TTL, TYPE, OBJECT */
};

/* db_keep_clocks: while on, lookups do not touch access clocks (CLIENT NO-TOUCH). */
void db_keep_clocks(bool on);
/* db_lookup: find the key; one that has expired is deleted and not found (not deleted while CLIENT
 * PAUSE holds the data still, if it is looked up for reading). */
const struct record *db_lookup(struct db *db, struct slice key, unsigned flags, struct db_ref *ret);
const struct record *db_find_read(struct db *db, struct slice key);
const struct record *db_peek(struct db *db, struct slice key); /* expired too; no trace */
/* db_record_is_expired: at the time of this turn. */
bool db_record_is_expired(const struct record *r);

/* db_prefetch: a hint that these keys are looked up next: start the loads of their buckets and
 * records. Changes nothing.  count: 1 .. 16. */
void db_prefetch(struct db *db, const struct slice *keys, int count);

/* db_walk: one step through the keys, see scan() in ltable.inc.h; expired ones are shown too. */
uint64_t db_walk(const struct db *db, uint64_t cursor, ktable_visitor visit, void *ctx);
/* db_each: all keys; visit must not change the database. */
void db_each(const struct db *db, ktable_visitor visit, void *ctx);
/* db_random: a key at random that has not expired; NULL: two thousand draws met none.  The first
 * thousand that have expired and are met are deleted.  While CLIENT PAUSE keeps them, it may be one
 * of them after a hundred draws. */
const struct record *db_random(struct db *db);

/* ---- change ---- */

/* db_insert: a record of this spec (its db and clock are filled in) for a key that is not there:
 * ref->rec is it afterwards.  0 or -ENOMEM; spec's value belongs to the record only after 0. */
int db_insert(struct db_ref *ref, struct record_spec *spec);
/* db_update: make the record at ref what spec says.  0 or -ENOMEM.  A block or table that the old
 * record held and the new one does not is freed. */
int db_update(struct db_ref *ref, struct record_spec *spec);
/* The halves of an update for which it would be too late to fail:
 * db_make: a record with key and expiry of ref->rec and another value; NULL: no memory.
 * record_free() if it is not wanted after all.
 * db_exchange: it takes the place of ref->rec, whose block or table is freed.  Cannot fail,
 * whatever has become of other keys. */
const struct record *db_make(const struct db_ref *ref, const struct value *value);
void db_exchange(struct db_ref *ref, const struct record *fresh);
/* db_set_use: when it was last used, or how often (-1: as it is): RESTORE. */
void db_set_use(const struct record *r, int64_t idle_s, int64_t freq);
/* db_evict: the key at ref goes for want of memory; who listens hears of it. */
void db_evict(struct db_ref *ref);
/* db_birth_clock: the clock word of a new record: the time, or under an LFU policy the counter. */
uint32_t db_birth_clock(void);
/* db_store: set the key to a value, there or not.  expire_at_ms as in record_spec. */
int db_store(struct db_ref *ref, const struct value *value, int64_t expire_at_ms);
/* db_supplant: as db_insert() or db_update(), told as a key that is new even where there was one:
 * RENAME, COPY, RESTORE. */
int db_supplant(struct db_ref *ref, struct record_spec *spec);
/* For loading: db_expect: so many keys are going to come, of which so many expire; a hint that may
 * be wrong, but costs address space: db_fit() when they have come. */
void db_expect(struct db *db, uint64_t keys, uint64_t expires);
void db_fit(struct db *db);
/* For loading, which makes its records ahead of their places (db_number(), db_birth_clock()):
 * db_warm: a hint that a record is going to be adopted.
 * db_adopt: the record takes its place, hash being its key's; nobody is told.  0; -EEXIST: its key
 * is there, expired or not; -ENOMEM: nothing has changed. */
void db_warm(const struct db *db, uint64_t hash, const struct record *r);
int db_adopt(struct db *db, uint64_t hash, const struct record *r);
/* db_set_expire: RECORD_NO_EXPIRE takes it away. 0 or -ENOMEM */
int db_set_expire(struct db_ref *ref, int64_t expire_at_ms);
/* db_remove: the key at ref goes, with what it holds. */
void db_remove(struct db_ref *ref);
/* db_expire_record: delete a record that has expired, and count it. */
void db_expire_record(struct db *db, const struct record *r);
/* For types whose elements expire:
 * db_field_expired: this field of the key at ref goes, or has just gone; it is counted.
 * db_fields_expired: some have gone; is_empty: no others are left, and the key goes now.
 * db_recast: the key at ref holds this value, into which all that it held has gone: nothing but the
 * record is freed.  0 or -ENOMEM; may be of another type.
 * db_may_expire: may what has expired go now?  Not while the data is held still, but for a command
 * that writes. */
void db_field_expired(const struct db_ref *ref, struct slice field);
void db_fields_expired(struct db_ref *ref, bool is_empty);
int db_recast(struct db_ref *ref, const struct value *value);
bool db_may_expire(void);
/* db_unlink: the key at ref goes; what it held belongs to somebody else already. */
void db_unlink(struct db_ref *ref);
/* db_delete: find and remove; false: was not there. */
bool db_delete(struct db *db, struct slice key);

/* One key of several that are set together, or not at all. */
struct db_item {
    const struct record *fresh; /* a string, made by record_new(); db_number() in it */
    const struct record *old;   /* used within */
    bool had_expired;           /* afterwards: what was there had expired; the caller tells */
    bool is_new; /* afterwards: the key was not there, or had expired; the caller tells */
};
/* db_store_all: every fresh record takes its key's place.  0, or -ENOMEM and nothing has changed:
 * the fresh records are still the caller's. */
int db_store_all(struct db *db, struct db_item *items, int count);
/* db_number: the physical number, for records made by hand. */
uint16_t db_number(const struct db *db);

/* db_refcount: as OBJECT REFCOUNT says it: nothing is shared here, but Redis shares the small
 * integers. */
int db_refcount(const struct value *v);

void db_swap(int a, int b); /* SWAPDB: only the map changes */
/* db_flush: empty a logical database at once: it gets a new physical one; the old one is freed in
 * slices by db_work(). Returns the number of keys dropped. */
uint64_t db_flush(int index);

/* ---- in the background of the loop ---- */

/* db_work: dead databases, dead values, active expiry: at most about budget_us.  True: more to
 * do. */
bool db_work(unsigned budget_us);
/* db_free_dead: of what is dead already, for about so long; false: nothing is, or a cut still holds
 * it. */
bool db_free_dead(unsigned budget_us);
/* db_dead_values, db_freed_values: large structures, and keys of flushed databases, that wait to be
 * freed; that were, since db_reset_freed_values(). */
uint64_t db_dead_values(void);
uint64_t db_freed_values(void);
void db_reset_freed_values(void);
/* db_bury: a structure without an owner: freed at once when small, in slices otherwise. */
void db_bury(enum value_type type, const void *root);

/* db_verify: assert D1 and the tables' own rules, for every database; slow, for tests. */
void db_verify(void);

#endif
