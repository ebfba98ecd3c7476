/* server/data/db/expire.c - active expiry: keys that nobody asks for go too.
 *
 * In the manner of Redis: every tenth of a second each database's table of expiries is sampled, a
 * batch of keys at a time, walking on from where the last batch ended; as long as more than a tenth
 * of a batch had expired, the next one follows at once, within the budget.  The table of hashes
 * with fields that expire is sampled in the same way; of each, a bounded number of fields goes at a
 * time, the earliest first. */
#include "server/data/db/db_impl.h"

#include "mm/base/clock.h"
#include "mm/base/keyhash.h"
#include "mm/base/os.h"
#include "server/data/db/db.h"
#include "server/data/db/type.h"
#include "server/figures/latency.h"
#include "server/figures/stats.h"

enum {
    PERIOD_MS = 100,
    BATCH_KEYS = 20,
    BATCH_BUCKETS = 400, /* of a sparse table */
    BATCH_MAX = BATCH_KEYS + LT_CHAIN_MAX,
    BATCH_FIELDS = 32, /* of one hash */
    ACCEPTABLE_PERCENT = 10,
    TTL_SAMPLES = 50 /* weight of the old average */
};

struct batch {
    /* the last bucket, or part of one, is looked at as a whole */
    const struct record *expired[BATCH_MAX];
    unsigned expired_count, seen;
    __int128 ttl_sum_ms; /* an expiry may be 2^63 ms away */
};

static void
look_at(void *ctx, const void *record)
{
    struct batch *b = ctx;

    b->seen++;
    debug_check(record_has(record, RECORD_HAS_EXPIRE) && b->expired_count < BATCH_MAX); /* D1 */
    if (!db_record_is_expired(record))
        b->ttl_sum_ms += record_expire(record) - clock_now.ms;
    else
        b->expired[b->expired_count++] = record;
}

static void
note_average(struct db *db, const struct batch *b)
{
    unsigned alive = b->seen - b->expired_count;
    int64_t mean;

    if (alive == 0)
        return;
    mean = (int64_t)(b->ttl_sum_ms / alive);
    if (db->avg_ttl_ms == 0)
        db->avg_ttl_ms = mean;
    else
        db->avg_ttl_ms = db->avg_ttl_ms / TTL_SAMPLES * (TTL_SAMPLES - 1) + mean / TTL_SAMPLES;
}

/* run_batch: true: so many had expired that it pays to go on, or only empty buckets were met. */
static bool
run_batch(struct db *db)
{
    struct batch b = {.seen = 0};
    uint64_t limit = db->expires.buckets < BATCH_BUCKETS ? db->expires.buckets : BATCH_BUCKETS;

    for (uint64_t i = 0; i < limit && b.seen < BATCH_KEYS; i++)
        ktable_visit_next(&db->expires, &db->expire_at, look_at, &b);
    for (unsigned i = 0; i < b.expired_count; i++)
        db_expire_record(db, b.expired[i]);
    note_average(db, &b);
    return b.seen == 0 || b.expired_count * 100 > b.seen * ACCEPTABLE_PERCENT;
}

static void
look_at_fields(void *ctx, const void *record)
{
    struct batch *b = ctx;

    b->seen++;
    debug_check(record_is_timed(record) && b->expired_count < BATCH_MAX); /* D1 */
    if (type_of(record_type(record))->has_expired(record))
        b->expired[b->expired_count++] = record;
}

/* run_fields: as run_batch(), of fields. */
static bool
run_fields(struct db *db)
{
    struct batch b = {.seen = 0};
    uint64_t limit = db->timed.buckets < BATCH_BUCKETS ? db->timed.buckets : BATCH_BUCKETS;
    unsigned gone = 0;

    for (uint64_t i = 0; i < limit && b.seen < BATCH_KEYS; i++)
        ktable_visit_next(&db->timed, &db->timed_at, look_at_fields, &b);
    for (unsigned i = 0; i < b.expired_count; i++) {
        const struct record *r = b.expired[i];
        struct db_ref ref = {
            .db = db, .key = record_key(r), .hash = keyhash(record_key(r)), .rec = r};

        gone += type_of(record_type(r))->expire(&ref, BATCH_FIELDS);
    }
    return b.seen == 0 || (gone > 0 && b.expired_count * 100 > b.seen * ACCEPTABLE_PERCENT);
}

static void
note_duration(int64_t begin_us)
{
    uint64_t us = (uint64_t)(os_monotonic_us() - begin_us);

    stats.expire_sum_us += us;
    latency_add("expire-cycle", us / 1000);
}

/* run_database: true: time is up.  *ret_done: no more of this database now. */
static bool
run_database(struct db *db, int64_t until_us, bool *ret_done)
{
    bool late = false;
    bool keys = db->expires.count > 0, fields = db->timed.count > 0;

    if (!keys)
        db->avg_ttl_ms = 0;
    while ((keys || fields) && !late) {
        keys = keys && run_batch(db) && db->expires.count > 0;
        fields = fields && run_fields(db) && db->timed.count > 0;
        late = os_monotonic_us() >= until_us;
    }
    *ret_done = !keys && !fields;
    return late;
}

bool
expire_run(int64_t until_us)
{
    static int64_t next_ms;
    static int next_db, left; /* left: databases of this round */
    int64_t begin_us;
    bool late = false, done;

    if (!db_state.active_expire || db_state.loading || db_is_held() ||
        (left == 0 && clock_now.ms < next_ms && next_ms - clock_now.ms <= PERIOD_MS))
        return false;
    begin_us = os_monotonic_us();
    if (left == 0)
        left = db_count();
    while (left > 0 && !late) {
        late = run_database(db_select(next_db % db_count()), until_us, &done);
        next_db = (next_db + done) % db_count();
        left -= done;
    }
    note_duration(begin_us);
    next_ms = clock_now.ms + PERIOD_MS;
    return left > 0;
}
