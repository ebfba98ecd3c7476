/* server/memory/evict.c - maxmemory: which keys go, and when. */
#include "server/memory/evict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/mm.h"
#include "server/data/db/db.h"
#include "server/data/db/draw.h"
#include "server/data/db/lfu.h"
#include "server/exec/exec.h"
#include "server/exec/keyevent.h"
#include "server/exec/pause.h"
#include "server/figures/latency.h"
#include "server/memory/usage.h"
#include "server/net/client.h"
#include "server/net/loop.h"

enum {
    POOL = 16,
    LONG_KEY_BYTES = 255, /* keys up to this length use a candidate's own buffer */
    EMPTY_BUCKETS = 64,   /* how many empty ones a draw passes over */
    GATHER_MORE = 8,      /* records gathered beyond twice of what is wanted */
    SAMPLES_MAX = 64,     /* from here on a draw would only take longer */
    DRAW_MAX = 192,
    SLICE_US = 100 /* of freeing what is dead already, at a time */
};

/* A key that may go: found earlier, perhaps gone since. */
struct candidate {
    uint64_t score; /* the higher, the sooner it goes */
    int db_index;
    size_t len;
    char *key; /* [owned] or short_key; NULL: no candidate */
    char short_key[LONG_KEY_BYTES];
};

static struct candidate pool[POOL]; /* by score, the lowest first; those without a key last */

struct evict_figures evict_figures;

/* ---- how much memory ---- */

uint64_t
evict_memory_used(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.live_bytes + f.side_bytes + db_mapped_bytes() + memory_sample.malloc_counted_bytes +
           client_bytes_all();
}

/* ---- the limit ---- */

/* Where a machine of one program is short of memory although maxmemory is not reached (holes
 * between what is used, buffers of the system), the limit is what is used then, less a part of it:
 * keys go for others that come, but not all of them for what is no key's. */
enum { PRESSED_PART = 32, PRESSED_AGAIN_US = 1000000 };
static struct {
    uint64_t limit_bytes; /* 0: memory is not short */
    int64_t since_us;     /* the limit holds since */
} pressed;

static bool
is_bounded(const struct config *c)
{
    return c->maxmemory != 0 || room_sizes.kept_bytes != 0;
}

/* look_at_machine: is memory short?  If it goes on, the limit falls again. */
static bool
look_at_machine(void)
{
    uint64_t used;
    int64_t now;

    if (likely(!room_is_short(mm_free_bytes()))) {
        pressed.limit_bytes = 0;
        return false;
    }
    now = os_monotonic_us();
    if (pressed.limit_bytes == 0 || now - pressed.since_us > PRESSED_AGAIN_US) {
        used = evict_memory_used();
        pressed.limit_bytes = used - used / PRESSED_PART;
        pressed.since_us = now;
    }
    return true;
}

/* is_over: above the limit that holds now. */
static bool
is_over(void)
{
    uint64_t used = evict_memory_used();

    return (config.maxmemory != 0 && used > config.maxmemory) ||
           (pressed.limit_bytes != 0 && used > pressed.limit_bytes);
}

/* ---- candidates ---- */

/* lfu_score: by the counter; keys that were not used since another policy, by the time too: most of
 * them have the same counter, none. */
static uint64_t
lfu_score(uint32_t clock)
{
    uint64_t rare = 255U - lfu_counter(clock);

    return rare << 32 | ((clock & LFU_COUNTS) != 0 ? 0 : lfu_idle_s(clock));
}

static uint64_t
score_of(const struct record *r)
{
    if ((config.maxmemory_policy & EVICT_TTL) != 0)
        return UINT64_MAX - (uint64_t)record_expire(r);
    if ((config.maxmemory_policy & EVICT_LFU) != 0)
        return lfu_score(record_clock(r));
    return lfu_idle_s(record_clock(r));
}

static void
clear(struct candidate *c)
{
    if (c->key != NULL && c->key != c->short_key)
        free(c->key);
    c->key = NULL;
}

static bool
put_key(struct candidate *c, struct slice key)
{
    if (key.len <= LONG_KEY_BYTES)
        c->key = c->short_key;
    else if (fault_point(FAULT_side_alloc) || (c->key = malloc(key.len)) == NULL)
        return false;
    memcpy(c->key, key.ptr, key.len);
    c->len = key.len;
    return true;
}

/* Copies of candidates keep pointing into themselves. */
static void
move(struct candidate *to, const struct candidate *from)
{
    bool is_short = from->key == from->short_key;

    *to = *from;
    if (is_short)
        to->key = to->short_key;
}

/* Into the pool, in order; the lowest score gives way when it is full. */
static void
consider(int db_index, const struct record *r)
{
    uint64_t score = score_of(r);
    int at = 0, count = 0;

    while (count < POOL && pool[count].key != NULL)
        count++;
    while (at < count && pool[at].score < score)
        at++;
    if (count == POOL) {
        if (at == 0)
            return;
        clear(&pool[0]);
        at--;
        for (int i = 0; i < at; i++)
            move(&pool[i], &pool[i + 1]);
    } else {
        for (int i = count; i > at; i--)
            move(&pool[i], &pool[i - 1]);
    }
    pool[at].score = score;
    pool[at].db_index = db_index;
    if (put_key(&pool[at], record_key(r)))
        return;
    pool[at].key = NULL;
    for (int i = at; i + 1 < POOL && pool[i + 1].key != NULL; i++) {
        move(&pool[i], &pool[i + 1]);
        pool[i + 1].key = NULL;
    }
}

void
evict_verify(void)
{
    for (int i = 0; i < POOL; i++) {
        const struct candidate *c = &pool[i];

        if (c->key == NULL)
            continue;
        must((c->key == c->short_key) == (c->len <= LONG_KEY_BYTES));
        must(c->db_index >= 0 && c->db_index < db_count());
        must(i == 0 || (pool[i - 1].key != NULL && pool[i - 1].score <= c->score));
    }
}

/* What stands at a random place of a table. */
struct draw {
    const struct record *at[DRAW_MAX];
    unsigned count;
};

static void
take(void *ctx, const void *record)
{
    struct draw *d = ctx;

    if (d->count < DRAW_MAX)
        d->at[d->count++] = record;
}

static const struct ktable *
table_of(int index)
{
    const struct db *db = db_select(index);

    return (config.maxmemory_policy & EVICT_ALL_KEYS) != 0 ? db_table_of_keys(db)
                                                           : db_table_of_expiring(db);
}

/* maxmemory-samples of the records in some neighbouring buckets, where the hash has put them
 * together.  More are gathered than are wanted, since in a bucket the oldest come first. */
static void
sample(int index)
{
    const struct ktable *t = table_of(index);
    uint64_t wanted =
        (uint64_t)(config.maxmemory_samples < SAMPLES_MAX ? config.maxmemory_samples : SAMPLES_MAX);
    /* By hash, not by number: a bucket that is not split yet holds twice as many, and is met twice
     * as often. */
    struct ktable_place at = {.bucket = lt_home(draw(), t->buckets), .path = draw()};
    struct draw d = {.count = 0};

    must(t->count > 0 && wanted > 0);
    for (uint64_t i = 0;
         i < t->buckets && i < wanted + EMPTY_BUCKETS && d.count < 2 * wanted + GATHER_MORE; i++)
        ktable_visit_next(t, &at, take, &d);
    if (unlikely(d.count == 0)) /* all is elsewhere, in a few crowded buckets */
        d.at[d.count++] = ktable_draw(t);
    for (uint64_t i = 0; i < wanted && d.count > 0; i++) {
        unsigned pick = (unsigned)(draw() % d.count);
        consider(index, d.at[pick]);
        d.at[pick] = d.at[--d.count];
    }
}

/* The best candidate that is still there; NULL: the pool is empty. */
static const struct record *
take_best(struct db_ref *ref)
{
    for (int i = POOL - 1; i >= 0; i--) {
        struct candidate *c = &pool[i];
        const struct record *r = NULL;
        struct db *db;
        if (c->key == NULL)
            continue;
        if ((db = db_select(c->db_index)) != NULL)
            r = db_peek(db, (struct slice){c->key, c->len});
        clear(c);
        if (r != NULL &&
            ((config.maxmemory_policy & EVICT_ALL_KEYS) != 0 || record_has(r, RECORD_HAS_EXPIRE))) {
            *ref = (struct db_ref){.db = db, .key = record_key(r), .rec = r};
            return r;
        }
    }
    return NULL;
}

static const struct record *
choose_at_random(struct db_ref *ref)
{
    static int next_db;

    for (int n = 0; n < db_count(); n++) {
        int index = (int)((unsigned)next_db++ % (unsigned)db_count());
        const struct ktable *t = table_of(index);
        const struct record *r;

        if (t->count == 0)
            continue;
        r = ktable_draw(t);
        *ref = (struct db_ref){.db = db_select(index), .key = record_key(r), .rec = r};
        return r;
    }
    return NULL;
}

/* Each sample has a candidate at least; without memory for its key, chance decides. */
static const struct record *
choose_from_pool(struct db_ref *ref)
{
    const struct record *r;

    for (int i = 0; i < db_count(); i++)
        if (table_of(i)->count > 0)
            sample(i);
    r = take_best(ref);
    return likely(r != NULL) ? r : choose_at_random(ref);
}

/* ---- eviction ---- */

/* One key goes.  False: there is none that may. */
static bool
evict_one(void)
{
    struct db_ref ref;
    const struct record *r;

    if ((config.maxmemory_policy & EVICT_NO) != 0)
        return false;
    r = (config.maxmemory_policy & EVICT_RANDOM) != 0 ? choose_at_random(&ref)
                                                      : choose_from_pool(&ref);

    if (r == NULL)
        return false;
    debug_check(!pause_is_on() && !db_state.loading); /* nothing may go then */
    must((config.maxmemory_policy & EVICT_ALL_KEYS) != 0 || record_has(r, RECORD_HAS_EXPIRE));
    evict_figures.keys++;
    db_evict(&ref);
    return true;
}

/* Microseconds for one command; as Redis: linear up to 500, then growing by 15 % a step; 100: no
 * limit. */
static int64_t
time_limit_us(void)
{
    int64_t tenacity = config.maxmemory_eviction_tenacity;

    if (tenacity <= 10)
        return 50 * tenacity;
    return tenacity < 100 ? (int64_t)(500 * pow(1.15, (double)tenacity - 10)) : INT64_MAX / 2;
}

/* Until memory is within the limit, or the time is over (*ret_late): who has just deleted much may
 * go on, although it is not all free yet.  False: nothing may go. */
static bool
run(int64_t until_us, bool *ret_late)
{
    *ret_late = false;
    for (int n = 1; is_over(); n++) {
        /* What is dead already is freed before more has to die. */
        bool freed = db_free_dead(SLICE_US);

        if (!freed && !evict_one())
            return false;
        if ((freed || n % 16 == 0) && os_monotonic_us() >= until_us) {
            *ret_late = true;
            return true;
        }
    }
    return true;
}

/* How long memory has been above the limit: INFO. */
static void
note_excess(bool exceeded)
{
    int64_t now = os_monotonic_us();

    if (exceeded && evict_figures.exceeded_since_us == 0)
        evict_figures.exceeded_since_us = now;
    if (exceeded || evict_figures.exceeded_since_us == 0)
        return;
    must(now >= evict_figures.exceeded_since_us); /* it is the monotonic clock */
    evict_figures.exceeded_us += (uint64_t)(now - evict_figures.exceeded_since_us);
    evict_figures.exceeded_since_us = 0;
}

bool
evict_make_room(void)
{
    int64_t begin = os_monotonic_us();
    bool ok, late = false;

    if (db_state.loading || pause_is_on() || db_held_for_save)
        return true;
    ok = run(begin + time_limit_us(), &late);
    note_excess(late || !ok);
    latency_add("eviction-cycle", (uint64_t)(os_monotonic_us() - begin) / 1000);
    return ok;
}

bool
evict_work(unsigned budget_us)
{
    bool late;

    (void)look_at_machine();
    if (!is_over()) {
        note_excess(false);
        return false;
    }
    if (db_state.loading || pause_is_on() || db_held_for_save ||
        (config.maxmemory_policy & EVICT_NO) != 0)
        return false;
    return run(os_monotonic_us() + budget_us, &late) && late;
}

static void run_task(unsigned slice_us);

/* In each turn, while there is a limit: INFO is to say how long memory was above the limit. */
static struct loop_task task = {
    .place = LOOP_EVICTION, .is_slice = true, .due_ms = LOOP_NEVER, .run = run_task};

static void
run_task(unsigned slice_us)
{
    bool more = is_bounded(&config) && evict_work(slice_us);

    loop_task_at(&task, more ? LOOP_NOW : LOOP_NEVER);
}

/* May a command that needs memory run?  What was evicted helps it only in part: the memory of a key
 * is another one's as soon as its whole block is free. */
static bool
is_within_limit(void)
{
    return (!look_at_machine() && !is_over()) ||
           (evict_make_room() && !room_is_nearly_out(mm_free_bytes()));
}

/* ---- configuration ---- */

static bool
apply(const struct config *next, const char **why)
{
    (void)why;
    loop_task_each_turn(&task, is_bounded(next));
    exec_gates.make_room = is_bounded(next) ? is_within_limit : NULL;
    for (int i = 0; i < POOL; i++) /* scores of another kind mean nothing */
        clear(&pool[i]);
    if (next->maxmemory != 0 && next->maxmemory < evict_memory_used())
        log_line(
            LOG_WARNING,
            "WARNING: the new maxmemory value set via CONFIG SET (%llu) is smaller than the current memory usage (%llu). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.",
            (unsigned long long)next->maxmemory, (unsigned long long)evict_memory_used());
    return true;
}

void
evict_init(void)
{
    loop_task_add(&task);
    config_on_change("maxmemory", apply);
    config_follow("maxmemory-policy", apply);
}
