/* server/data/db/ktable.h - the keyspace's hash tables: key -> record.  Outside the tracked arena:
 * a snapshot never looks here.
 *
 * Each database has two: one of all records, one of those that expire.  Large segments are mapped,
 * so that their memory comes page by page as splits reach it, and goes as merges leave it; overflow
 * buckets come from a pool that all tables share.
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_KTABLE_H
#define SERVER_DATA_DB_KTABLE_H

#include "server/data/db/ltable.h"
#include "server/data/db/record.h"

LT_DEFINE(ktable, );

typedef void (*ktable_visitor)(void *ctx, const void *record);

/* ktable_find_key: the record with this key, NULL if there is none; *ret says where. */
const struct record *ktable_find_key(const struct ktable *t, uint64_t hash, struct slice key,
                                     struct ktable_ref *ret);
/* ktable_find_record: where this record stands (keys are not compared); ret->bucket NULL:
 * nowhere. */
void ktable_find_record(const struct ktable *t, uint64_t hash, const struct record *r,
                        struct ktable_ref *ret);

/* ktable_expect: a table without buckets gets those that so many records will want, so that none of
 * them is ever split; memory comes as they are used, but they count at once.  Without memory, or
 * with buckets, it stays as it is.
 * ktable_fit: fewer buckets, where the records that came are far fewer.  O(buckets) */
void ktable_expect(struct ktable *t, uint64_t records);
void ktable_fit(struct ktable *t);

/* ktable_add: a record whose key is not there.  false: no memory, nothing has changed. */
bool ktable_add(struct ktable *t, uint64_t hash, const struct record *r);
/* ktable_switch: another record with the same key takes the place.  Cannot fail. */
void ktable_switch(struct ktable_ref at, const struct record *r);
/* ktable_drop: forget the record at `at`.  Cannot fail. */
void ktable_drop(struct ktable *t, uint64_t hash, struct ktable_ref at);

/* ktable_walk: one step of a walk, see scan() in ltable.inc.h; returns the next cursor, 0 at the
 * end. */
uint64_t ktable_walk(const struct ktable *t, uint64_t cursor, ktable_visitor visit, void *ctx);
/* ktable_visit_bucket: all records of one bucket, however many these are; bucket < t->buckets. */
void ktable_visit_bucket(const struct ktable *t, uint64_t bucket, ktable_visitor visit, void *ctx);
/* ktable_visit_next: at most LT_CHAIN_MAX records, those of a bucket or of a part of it, and on to
 * the next, the first after the last.  The table, which is not empty, may change between two calls:
 * some are missed then, or met again. */
struct ktable_place {
    uint64_t bucket, path; /* path: see ltable_walk.inc.h */
};
void ktable_visit_next(const struct ktable *t, struct ktable_place *at, ktable_visitor visit,
                       void *ctx);
/* ktable_draw: a record at random; the table has some. */
const struct record *ktable_draw(const struct ktable *t);

/* ktable_empty: visit and forget about `records` of what is left of a dead table; *next begins as
 * 0.  True: done. */
bool ktable_empty(struct ktable *t, uint64_t *next, uint64_t records, ktable_visitor visit,
                  void *ctx);

/* ktable_warm_bucket, ktable_warm_record: hints for a lookup soon to come, first the one, then the
 * other. */
void ktable_warm_bucket(const struct ktable *t, uint64_t hash);
void ktable_warm_record(const struct ktable *t, uint64_t hash);

/* ktable_bytes: memory of all tables' buckets, pool included; of mapped segments, what is in use.
 * ktable_mapped_bytes: of these alone: the others are known to the C library's allocator. */
size_t ktable_bytes(void);
size_t ktable_mapped_bytes(void);
/* ktable_verify: assert LT1, LT2 and every entry's place; slow, for tests. */
void ktable_verify(const struct ktable *t);

#endif
