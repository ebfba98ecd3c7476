/* server/commands/server/memory.c - MEMORY: what is used, by what, and what can be done. */
#include <malloc.h>
#include <stdio.h>

#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/type.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/memory/defrag.h"
#include "server/memory/evict.h"
#include "server/memory/trim.h"
#include "server/memory/usage.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/scripts/function.h"
#include "server/scripts/script.h"

#include "server/commands/server/server.def"

/* ---- one key ---- */

static uint64_t
table_bytes(const struct ktable *t)
{
    return (t->buckets + t->children) * sizeof(struct lt_bucket);
}

static uint64_t
weigh(const struct db *db, const struct record *r, uint64_t samples)
{
    enum { PAGE_BYTES = 4096 };
    uint64_t bytes = mm_usable(r) + table_bytes(db_table_of_keys(db)) / db_size(db);

    if (record_encoding(r) == ENC_ROOT)
        bytes += type_of(record_type(r))->weigh(record_root(r), samples);
    /* behind a long string there is address space, not memory */
    else if (record_encoding(r) == ENC_OUTER)
        bytes += record_blob(r).len <= MM_SLOT_MAX_BYTES
                     ? mm_usable(record_blob(r).ptr)
                     : (record_blob(r).len + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    return bytes;
}

/* MEMORY USAGE key [SAMPLES count] -> bytes, or null. */
void
cmd_memory_usage(struct client *c)
{
    int64_t samples = 5;
    struct db_ref ref;

    for (int i = 3; i < c->argc; i += 2) {
        if (!arg_is(c, i, "samples") || i + 1 >= c->argc) {
            reply_syntax(c);
            return;
        }
        if (!arg_int(c, i + 1, &samples))
            return;
        if (samples < 0) {
            reply_syntax(c);
            return;
        }
    }
    if (db_lookup(c->db, c->argv[2], DB_LOOK | DB_QUIET, &ref) == NULL)
        reply_null(c);
    else
        reply_int(c, (int64_t)weigh(c->db, ref.rec, (uint64_t)samples));
}

/* ---- all of it ---- */

struct figure {
    const char *name;
    uint64_t bytes;
};
/* What the system does not say is missing. */
static const uint64_t UNKNOWN = (uint64_t)1 << 63;
enum { SHARES = 3, SHARES_OF_RSS = 3 }; /* reply_shares() */

static void
reply_share(struct client *c, const char *name, uint64_t part, uint64_t whole, double factor)
{
    reply_bulk_text(c, name);
    reply_double(c, whole > 0 ? factor * (double)part / (double)whole : 0);
}

/* Returns the number of those that are known; c NULL: only that. */
static unsigned
reply_figures(struct client *c, const struct figure *f, unsigned count)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        if (f[i].bytes == UNKNOWN)
            continue;
        n++;
        if (c == NULL)
            continue;
        reply_bulk_text(c, f[i].name);
        reply_int(c, (int64_t)f[i].bytes);
    }
    return n;
}

static void
reply_shares(struct client *c, const struct memory_figures *m, uint64_t live_bytes)
{
    reply_share(c, "dataset.percentage", live_bytes, m->used, 100);
    reply_share(c, "peak.percentage", m->used, memory_sample.peak_bytes, 100);
    reply_share(c, "allocator-fragmentation.ratio", m->active, m->used, 1);
    if (m->rss == 0)
        return;
    reply_share(c, "allocator-rss.ratio", m->resident, m->active, 1);
    reply_share(c, "rss-overhead.ratio", m->rss, m->resident, 1);
    reply_share(c, "fragmentation", m->rss, m->used, 1);
}

/* What the tables of each database take, of those that have keys; returns their number.  c NULL:
 * only that. */
static unsigned
reply_databases(struct client *c)
{
    unsigned n = 0;

    for (int i = 0; i < db_count(); i++) {
        const struct db *db = db_select(i);
        char name[16];
        if (db_size(db) == 0)
            continue;
        n++;
        if (c == NULL)
            continue;
        snprintf(name, sizeof name, "db.%d", i);
        reply_bulk_text(c, name);
        reply_map(c, 3);
        reply_bulk_text(c, "overhead.hashtable.main");
        reply_int(c, (int64_t)table_bytes(db_table_of_keys(db)));
        reply_bulk_text(c, "overhead.hashtable.expires");
        reply_int(c, (int64_t)table_bytes(db_table_of_expiring(db)));
        reply_bulk_text(c, "overhead.hashtable.slot-to-keys");
        reply_int(c, 0);
    }
    return n;
}

/* MEMORY STATS -> names and numbers. */
void
cmd_memory_stats(struct client *c)
{
    struct mm_figures f;
    struct memory_figures m;
    struct script_figures scripts;
    struct function_figures functions;
    uint64_t used, clients = 0, keys = db_total_keys();
    bool has_rss;

    mm_figures(&f);
    memory_figures(&m);
    script_figures(&scripts);
    function_figures(&functions);
    used = m.used;
    has_rss = m.rss != 0;
    if (used > memory_sample.peak_bytes)
        memory_sample.peak_bytes = used;
    for (const struct client *other = client_first(); other != NULL; other = other->next)
        clients += client_memory(other);
    {
        const struct figure figures[] = {
            {"peak.allocated", memory_sample.peak_bytes},
            {"total.allocated", used},
            {"startup.allocated", memory_sample.start_bytes},
            {"replication.backlog", 0},
            {"clients.slaves", 0},
            {"clients.normal", clients},
            {"cluster.links", 0},
            {"aof.buffer", 0},
            {"lua.caches", scripts.cache_bytes + scripts.vm_bytes},
            {"functions.caches", functions.cache_bytes + functions.vm_bytes},
            {"overhead.total", used > f.live_bytes ? used - f.live_bytes : 0},
            {"keys.count", keys},
            {"keys.bytes-per-key", keys > 0 ? (f.live_bytes + db_table_bytes()) / keys : 0},
            {"dataset.bytes", f.live_bytes},
            {"arena.bytes", f.arena_bytes},
            {"arena.resident", f.resident_bytes},
            {"arena.side", f.side_bytes},
            {"keyspace.tables", db_table_bytes()},
            {"snapshot.images", f.images_bytes},
            {"snapshot.retired", f.retired_bytes},
            {"allocator.malloc", memory_sample.malloc_bytes},
            {"allocator.allocated", used},
            {"allocator.active", m.active},
            {"allocator.resident", has_rss ? m.resident : UNKNOWN},
            {"allocator-fragmentation.bytes", m.active - used},
            /* may be below zero, as a reply too */
            {"allocator-rss.bytes", has_rss ? m.resident - m.active : UNKNOWN},
            {"rss-overhead.bytes", has_rss ? m.rss - m.resident : UNKNOWN},
            {"fragmentation.bytes", has_rss ? m.rss - used : UNKNOWN},
        };
        unsigned count = sizeof figures / sizeof figures[0];
        reply_map(c, reply_figures(NULL, figures, count) + reply_databases(NULL) + SHARES +
                         (has_rss ? SHARES_OF_RSS : 0));
        (void)reply_figures(c, figures, count);
    }
    reply_databases(c);
    reply_shares(c, &m, f.live_bytes);
}

/* MEMORY DOCTOR -> what looks wrong, in words. */
void
cmd_memory_doctor(struct client *c)
{
    uint64_t used = memory_used();
    struct mm_figures f;
    struct text t = {0};

    mm_figures(&f);
    if (used < 5 << 20)
        text_add(&t, "This instance is nearly empty: there is nothing to say of its memory.\n");
    if (memory_sample.peak_bytes > used + used / 2)
        text_addf(
            &t,
            "* Memory was %.1f times as much at its peak. Free memory goes back to the system in the background; MEMORY PURGE asks for it now.\n",
            (double)memory_sample.peak_bytes / (double)used);
    if (f.resident_bytes > f.live_bytes + f.live_bytes / 2 + (5 << 20)) {
        text_add(&t, "* The arena holds ");
        text_add_human(&t, f.resident_bytes);
        text_add(&t, " for ");
        text_add_human(&t, f.live_bytes);
        text_add(
            &t,
            " of data: much was deleted or changed its size. New values of the same sizes will use that room; MEMORY PURGE or activedefrag empties it.\n");
    }
    if (config.maxmemory != 0 && evict_memory_used() > config.maxmemory / 10 * 9)
        text_add(&t, "* Memory is above nine tenths of maxmemory.\n");
    if (f.retired_bytes > used / 10)
        text_add(
            &t,
            "* A running snapshot holds more than a tenth of memory: see snapshot-memory-limit.\n");
    if (t.len == 0)
        text_add(&t, "Nothing looks wrong.\n");
    reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}

/* MEMORY PURGE -> OK: from now on the loop empties sparse slabs and gives free memory back, in
 * slices; what malloc() keeps goes back at once. */
void
cmd_memory_purge(struct client *c)
{
    enum { FIRST_SLICE_US = 200 };

    defrag_purge();
    memory_trim();
    mm_tidy(FIRST_SLICE_US); /* cron() makes the loop look for more */
    reply_ok(c);
}

/* MEMORY MALLOC-STATS -> the arena's figures, as text. */
void
cmd_memory_malloc_stats(struct client *c)
{
    struct mm_figures f;
    struct text t = {0};

    mm_figures(&f);
    text_addf(&t, "arena %zu bytes of address space, %zu resident, %zu live (%zu in records)\n",
              f.arena_bytes, f.resident_bytes, f.live_bytes, f.record_bytes);
    text_addf(&t, "snapshot: %zu retired, %zu in images, %zu newborn, epoch %u, cut %s\n",
              f.retired_bytes, f.images_bytes, f.newborn_bytes, f.epoch,
              f.cut_open ? "open" : "closed");
    text_addf(&t, "side tables %llu, keyspace tables %zu, malloc %llu\n",
              (unsigned long long)f.side_bytes, db_table_bytes(),
              (unsigned long long)memory_sample.malloc_bytes);
    reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}
