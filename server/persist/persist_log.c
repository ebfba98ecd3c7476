/* server/persist/persist_log.c - what the log says of a save: its begin, its progress, its end. */
#include <stdio.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "mm/base/supervisor.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/save_value.h"
#include "server/persist/persist_impl.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/snapshot.h"

typedef unsigned long long ull;

enum { LOG_EACH_US = 5 * 1000 * 1000 /* progress lines of a long save */ };

/* mb_s: megabytes a second; 0 for what took no time. */
static double
mb_s(uint64_t bytes, int64_t us)
{
    return us <= 0 ? 0 : (double)bytes / (double)us;
}

void
persist_log_begun(void)
{
    persist.next_log_us = os_monotonic_us() + LOG_EACH_US;
    if (persist.background)
        log_line(
            LOG_NOTICE,
            "Background saving started without fork, %llu keys, the event loop stalled for %lld us, sweep threads: %u",
            (ull)db_total_keys(), (long long)persist.last_begin_us, persist.threads);
    else
        log_line(LOG_NOTICE, "Saving started, and everybody waits: %llu keys, sweep threads: %u",
                 (ull)db_total_keys(), persist.threads);
}

int64_t
persist_eta_us(const struct snapshot_status *s)
{
    double elapsed_us = (double)(os_monotonic_us() - s->begin_us), part = snapshot_part_swept(s);

    if (s->state != SNAPSHOT_SWEEPING || part <= 0)
        return -1;
    return (int64_t)(elapsed_us * (1 - part) / part);
}

static void
log_sweep(const struct snapshot_status *s, int64_t now_us)
{
    int64_t eta_us = persist_eta_us(s);

    log_line(
        LOG_NOTICE,
        persist.background
            ? "Background saving: %llu of %llu keys (%.0f %%), %llu MB written, %.1f MB/s, %lld s to go"
            : "Saving: %llu of %llu keys (%.0f %%), %llu MB written, %.1f MB/s, %lld s to go",
        (ull)s->keys_done, (ull)s->keys_total, 100.0 * (double)s->keys_done / (double)s->keys_total,
        (ull)(s->bytes_out >> 20), mb_s(s->bytes_out, now_us - s->begin_us),
        (long long)(eta_us < 0 ? -1 : eta_us / 1000000));
}

/* While everybody waits, so does who has asked for the end. */
static void
tell_supervisor(const struct snapshot_status *s)
{
    char line[64];

    snprintf(line, sizeof line, "Saving: %llu of %llu keys, %llu MB written", (ull)s->keys_done,
             (ull)s->keys_total, (ull)(s->bytes_out >> 20));
    supervisor_busy(line);
}

void
persist_log_progress(void)
{
    struct snapshot_status s;
    int64_t now_us = os_monotonic_us();

    if (now_us < persist.next_log_us)
        return;
    persist.next_log_us = now_us + LOG_EACH_US;
    snapshot_status(&s);
    if (!persist.background)
        tell_supervisor(&s);
    if (s.state == SNAPSHOT_SWEEPING && s.keys_total > 0)
        log_sweep(&s, now_us);
    else if (s.state == SNAPSHOT_WRITING && s.verifying)
        log_line(LOG_NOTICE,
                 persist.background
                     ? "Background saving: the file is durable; %llu MB are being read back"
                     : "Saving: the file is durable; %llu MB are being read back",
                 (ull)(s.bytes_out >> 20));
    else if (s.state == SNAPSHOT_WRITING)
        log_line(LOG_NOTICE,
                 persist.background
                     ? "Background saving: all keys are read; %llu MB are being made durable"
                     : "Saving: all keys are read; %llu MB are being made durable",
                 (ull)(s.bytes_out >> 20));
}

void
persist_log_success(const struct snapshot_end *end)
{
    log_line(
        LOG_NOTICE,
        "DB saved on disk: %llu keys, %llu bytes in %.3f seconds (%.1f MB/s, swept after %.3f), %.1f MB of extra memory at most, the start took %lld us: %s",
        (ull)end->keys, (ull)end->file_bytes, (double)end->total_us / 1e6,
        mb_s(end->file_bytes, end->total_us), (double)end->sweep_us / 1e6,
        (double)persist.last_peak_bytes / 1e6, (long long)persist.last_begin_us, persist.path);
    if (persist.background)
        log_line(LOG_NOTICE, "Background saving terminated with success");
}

/* What a dump of a lower version has no place for, by the bits of enum save_lost. */
static const struct {
    unsigned lost;
    int version; /* the first that has */
    const char *what;
} losses[] = {
    {SAVE_LOST_LIBRARIES, RDB_FUNCTIONS_FROM_VERSION, "function libraries"},
    {SAVE_LOST_COUNTERS, RDB_LISTPACKS_FROM_VERSION,
     "how many entries were added to streams, deleted and read by groups"},
    {SAVE_LOST_ACTIVE, RDB_SET_LISTPACK_FROM_VERSION, "when consumers of streams were active"}};

void
persist_log_version(int version)
{
    if (version > config.rdb_version)
        log_line(
            LOG_NOTICE,
            "The dump is of RDB version %d, not %lld (rdb-version): there are hashes with fields "
            "that expire, and lower versions have no place for their times",
            version, (long long)config.rdb_version);
}

void
persist_log_lost(unsigned lost)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if ((lost & losses[i].lost) != 0)
            log_line(
                LOG_WARNING,
                "The dump is without %s: below version %d RDB has no place for that (see rdb-version)",
                losses[i].what, losses[i].version);
}
