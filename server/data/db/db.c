/* server/data/db/db.c - databases and lookup.  Changes: db_write.c; work in the background:
 * db_work.c. */
#include "server/data/db/db.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/draw.h"
#include "server/data/db/lfu.h"
#include "server/figures/stats.h"

struct db_map db_map;
struct db_state db_state = {.active_expire = true, .policy = EVICT_NO};

/* ---- the map ---- */

/* make_room: the table of physical databases has a place for one more number. */
static bool
make_room(void)
{
    uint32_t room = db_map.physical_room == 0 ? 64 : db_map.physical_room * 2;
    struct db **p;

    if (db_map.physical_top < db_map.physical_room)
        return true;
    if (room > DB_PHYSICAL_MAX ||
        (p = realloc(db_map.physical, room * sizeof(struct db *))) == NULL)
        return false;
    db_map.physical = p;
    db_map.physical_room = room;
    return true;
}

/* free_number: a number that no database has; physical_room: there is none. */
static uint32_t
free_number(void)
{
    uint32_t n = db_map.next_number;

    if (db_map.physical_used == db_map.physical_top)
        return make_room() ? db_map.physical_top++ : db_map.physical_room;
    for (;; n++) {
        if (n >= db_map.physical_top)
            n = 0;
        if (db_map.physical[n] == NULL)
            return n;
    }
}

struct db *
db_new(int index)
{
    struct db *db;
    uint32_t number;

    if (fault_point(FAULT_side_alloc) || (db = calloc(1, sizeof *db)) == NULL)
        return NULL;
    if ((number = free_number()) == db_map.physical_room) {
        free(db);
        return NULL;
    }
    db->number = (uint16_t)number;
    db->index = index;
    db_map.physical[number] = db;
    db_map.physical_used++;
    db_map.next_number = number + 1;
    return db;
}

void
db_release(struct db *db)
{
    db_map.physical[db->number] = NULL;
    db_map.physical_used--;
    free(db);
}

/* drop_map: of databases that never held a key. */
static void
drop_map(void)
{
    for (int i = 0; i < db_map.logical_count; i++)
        db_release(db_map.logical[i]);
    free(db_map.physical);
    free(db_map.logical);
    db_map = (struct db_map){.dead = NULL};
}

int
db_init(int count)
{
    must(count > 0 && db_map.logical == NULL);
    keyhash_init();
    if ((db_map.logical = calloc((size_t)count, sizeof(struct db *))) == NULL)
        return -ENOMEM;
    for (int i = 0; i < count; i++) {
        if ((db_map.logical[i] = db_new(i)) == NULL) {
            drop_map();
            return -ENOMEM;
        }
        db_map.logical_count = i + 1;
    }
    return 0;
}

int
db_count(void)
{
    return db_map.logical_count;
}

struct db *
db_select(int index)
{
    return index >= 0 && index < db_map.logical_count ? db_map.logical[index] : NULL;
}

int
db_index_of(const struct db *db)
{
    return db->index;
}

uint16_t
db_number(const struct db *db)
{
    return db->number;
}

uint64_t
db_size(const struct db *db)
{
    return db->keys.count;
}

uint64_t
db_expires(const struct db *db)
{
    return db->expires.count;
}

uint64_t
db_timed(const struct db *db)
{
    return db->timed.count;
}

uint64_t
db_total_timed(void)
{
    uint64_t n = 0;

    for (int i = 0; i < db_map.logical_count; i++)
        n += db_map.logical[i]->timed.count;
    return n;
}

int64_t
db_avg_ttl_ms(const struct db *db)
{
    return db->avg_ttl_ms;
}

uint64_t
db_total_keys(void)
{
    uint64_t n = 0;

    for (int i = 0; i < db_map.logical_count; i++)
        n += db_map.logical[i]->keys.count;
    return n;
}

const struct ktable *
db_table_of_keys(const struct db *db)
{
    return &db->keys;
}

const struct ktable *
db_table_of_expiring(const struct db *db)
{
    return &db->expires;
}

size_t
db_table_bytes(void)
{
    return ktable_bytes();
}

size_t
db_mapped_bytes(void)
{
    return ktable_mapped_bytes();
}

int
db_refcount(const struct value *v)
{
    enum { SHARED_INTEGERS = 10000 };
    /* With one object for all, none could have a time of use or a frequency of its own. */
    bool shares = !db_state.is_bounded || (db_state.policy & (EVICT_LRU | EVICT_LFU)) == 0;

    return shares && v->enc == ENC_INT && v->integer >= 0 && v->integer < SHARED_INTEGERS ? INT_MAX
                                                                                          : 1;
}

void
db_swap(int a, int b)
{
    struct db *was;

    must(db_select(a) != NULL && db_select(b) != NULL);
    was = db_map.logical[a];
    db_map.logical[a] = db_map.logical[b];
    db_map.logical[b] = was;
    db_map.logical[a]->index = a;
    db_map.logical[b]->index = b;
}

/* ---- lookup ---- */

bool
db_record_is_expired(const struct record *r)
{
    return record_has(r, RECORD_HAS_EXPIRE) && record_expire(r) < clock_now.ms;
}

static bool clocks_are_kept;

void
db_keep_clocks(bool on)
{
    clocks_are_kept = on;
}

/* note_read: a key was looked up for reading: found or missed. */
static inline void
note_read(const struct db_ref *ref, unsigned flags)
{
    if (ref->rec != NULL) {
        stats.hits++;
        return;
    }
    stats.misses++;
    if ((flags & DB_QUIET) == 0)
        db_tell_event(ref->db, ref->key, KEY_EVENT_MISS, "keymiss");
}

const struct record *
db_lookup(struct db *db, struct slice key, unsigned flags, struct db_ref *ret)
{
    const struct record *r;

    ret->db = db;
    ret->key = key;
    ret->hash = keyhash(key);
    r = ret->rec = ktable_find_key(&db->keys, ret->hash, key, &ret->at);
    if (r != NULL && unlikely(db_record_is_expired(r)) && (flags & DB_EXPIRED) == 0 &&
        !db_state.loading) {
        /* Whoever does not read is about to change it, whatever the pause says. */
        if ((flags & DB_COUNT_HIT) == 0 || !db_is_held() || db_listener->is_writing())
            db_expire_record(db, r);
        r = ret->rec = NULL;
    }
    if ((flags & DB_COUNT_HIT) != 0)
        note_read(ret, flags);
    if (r != NULL && (flags & DB_TOUCH) != 0 && !clocks_are_kept)
        record_touch(r, unlikely(db_counts_use()) ? lfu_touched(record_clock(r)) : clock_now.s);
    return r;
}

const struct record *
db_find_read(struct db *db, struct slice key)
{
    struct db_ref ref;

    return db_lookup(db, key, DB_READ, &ref);
}

const struct record *
db_peek(struct db *db, struct slice key)
{
    struct ktable_ref at;

    return ktable_find_key(&db->keys, keyhash(key), key, &at);
}

void
db_prefetch(struct db *db, const struct slice *keys, int count)
{
    enum { MAX = 16 };
    uint64_t hash[MAX];

    debug_check(count > 0 && count <= MAX);
    for (int i = 0; i < count && i < MAX; i++) {
        hash[i] = keyhash(keys[i]);
        ktable_warm_bucket(&db->keys, hash[i]);
    }
    for (int i = 0; i < count && i < MAX; i++)
        ktable_warm_record(&db->keys, hash[i]);
}

uint64_t
db_walk(const struct db *db, uint64_t cursor, ktable_visitor visit, void *ctx)
{
    return ktable_walk(&db->keys, cursor, visit, ctx);
}

void
db_each(const struct db *db, ktable_visitor visit, void *ctx)
{
    for (uint64_t i = 0; i < db->keys.buckets; i++)
        ktable_visit_bucket(&db->keys, i, visit, ctx);
}

const struct record *
db_random(struct db *db)
{
    enum {
        EXPIRED_MAX = 1000,
        DRAWS_MAX = 2 * EXPIRED_MAX,
        DRAWS_IN_PAUSE = 100 /* as Redis has it */
    };
    bool held = db_is_held();

    for (unsigned i = 1; i <= DRAWS_MAX && db->keys.count > 0; i++) {
        const struct record *r = ktable_draw(&db->keys);

        if (!db_record_is_expired(r) || (held && i == DRAWS_IN_PAUSE))
            return r;
        if (!held && i <= EXPIRED_MAX)
            db_expire_record(db, r);
    }
    return NULL;
}
