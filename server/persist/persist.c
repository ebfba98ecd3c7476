/* server/persist/persist.c - when a snapshot begins and what becomes of its end. */
#include "server/persist/persist.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "mm/page.h"
#include "server/config/config.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/data/db/save.h"
#include "server/exec/exec.h"
#include "server/figures/latency.h"
#include "server/net/loop.h"
#include "server/net/net.h"
#include "server/persist/persist_impl.h"
#include "snapshot/rdb/rdb.h"

enum {
    SETTLE_BLOCKS = 256,          /* a slice of settling: well below 100 microseconds */
    WRITEOUT_BYTES = 4 << 20,     /* incremental write-out of the dump */
    CRON_MS = 100,                /* between two looks at the save points */
    RETRY_S = 5,                  /* after a failed save, as Redis does */
    LOG_EACH_US = 5 * 1000 * 1000 /* progress lines of a long save */
};

static void look_after_save(unsigned slice_us), look_at_save_points(unsigned slice_us);

static struct loop_task save_task = {
    .place = LOOP_SNAPSHOT, .due_ms = LOOP_NEVER, .run = look_after_save};
static struct loop_task cron_task = {
    .place = LOOP_SAVE_CRON, .longest_ms = 10 * CRON_MS, .run = look_at_save_points};

/* The sweep ends whatever the writers do. */
static struct net_gate memory_gate = {.is_closed = persist_writers_delayed,
                                      .opens_by_itself = true};

struct persist persist; /* as persist_init() begins it */

/* Commands that write ask whether they may only while there is a reason to. */
static void
set_last_ok(bool ok)
{
    /* It is asked whatever stop-writes-on-bgsave-error says, which may be set meanwhile. */
    persist.last_ok = ok;
    exec_gates.write_error = ok ? NULL : persist_write_error;
}

int
persist_init(void)
{
    persist = (struct persist){.last_duration_s = -1, .last_save_s = clock_now.ms / 1000};
    set_last_ok(true);
    exec_gates.writers_wait = persist_writers_delayed;
    net_gate_add(&memory_gate);
    loop_task_add(&save_task);
    loop_task_add(&cron_task);
    return 0;
}

static bool
has_save_points(void)
{
    return config.save_point_count > 0;
}

/* images_cap: what the copies of pages may take before the view is given up (C2): the limit and
 * headroom for the one command that was already running when the limit was reached. */
static size_t
images_cap(void)
{
    size_t limit = (size_t)config.snapshot_memory_limit;

    return limit == 0 ? 0 : limit + limit / 4 + ((size_t)16 << 20);
}

/* begin: take the cut now.  0 or -errno. */
static int
begin(void)
{
    struct save_cut *cut = save_cut_new();
    struct snapshot_request rq;
    struct snapshot_status status;
    int r;

    must(!persist.running && !db_state.loading); /* what is half loaded is no dump */
    if (cut == NULL)
        return -ENOMEM;
    rq = (struct snapshot_request){.ops = &save_snapshot_ops,
                                   .cut = cut,
                                   .path = config.dbfilename,
                                   .rdb_version = RDB_VERSION_DEFAULT,
                                   .compression = config.rdb_compression ? RDB_LZF : RDB_PLAIN,
                                   .checksum = config.rdb_checksum,
                                   .threads = 1,
                                   .keys_total = db_total_keys(),
                                   .writeout_bytes = WRITEOUT_BYTES};
    if ((r = snapshot_begin(&rq)) < 0) {
        save_cut_free(cut);
        return r;
    }
    pages_limit(images_cap());
    persist.cut = cut;
    persist.running = true;
    loop_task_each_turn(&save_task, true);
    persist.scheduled = false;
    persist.dirty_at_begin = db_state.dirty;
    persist.flushed_at_begin = persist.flushed;
    persist.begin_s = clock_now.ms / 1000;
    persist.next_log_us = os_monotonic_us() + LOG_EACH_US;
    snapshot_status(&status);
    persist.last_begin_us = (int64_t)(status.begin_cost_ns / 1000);
    latency_add("snapshot-cut", (uint64_t)persist.last_begin_us / 1000);
    return 0;
}

/* note_failure: the status is BGSAVE's: a SAVE that fails tells its client, and nobody else. */
static void
note_failure(int error, const char *what, const char *text)
{
    log_line(LOG_WARNING, "%s: %s", what, text);
    persist.last_error = error;
    if (persist.background)
        set_last_ok(false);
}

/* take_flushed_back: changes before a FLUSHALL that no save covers. */
static void
take_flushed_back(uint64_t changes)
{
    must(changes <= persist.flushed);
    persist.flushed -= changes;
    db_state.dirty += changes;
}

/* begin_in_background: with what Redis logs around it. */
static int
begin_in_background(bool for_flush)
{
    int r;

    persist.last_try_s = clock_now.ms / 1000;
    persist.background = true;
    persist.for_flush = for_flush;
    if ((r = begin()) < 0) {
        note_failure(r, "Can't save in background", strerror(-r));
        return r;
    }
    log_line(
        LOG_NOTICE,
        "Background saving started without fork, %llu keys, the event loop stalled for %lld us",
        (unsigned long long)db_total_keys(), (long long)persist.last_begin_us);
    return 0;
}

static void
take_success(const struct snapshot_end *end)
{
    struct mm_figures f;

    mm_figures(&f);
    db_state.dirty -=
        persist.dirty_at_begin < db_state.dirty ? persist.dirty_at_begin : db_state.dirty;
    must(persist.flushed_at_begin <= persist.flushed);
    persist.flushed -= persist.flushed_at_begin;
    persist.last_save_s = clock_now.ms / 1000;
    set_last_ok(true);
    persist.last_error = 0;
    persist.saves += !persist.for_flush;
    persist.last_peak_bytes = f.peak_bytes;
    persist.last_file_bytes = end->file_bytes;
    log_line(
        LOG_NOTICE,
        "DB saved on disk: %llu keys, %llu bytes in %.3f seconds (swept after %.3f), %.1f MB of extra memory at most",
        (unsigned long long)end->keys, (unsigned long long)end->file_bytes,
        (double)end->total_us / 1e6, (double)end->sweep_us / 1e6, (double)f.peak_bytes / 1e6);
}

static void
take_end(const struct snapshot_end *end)
{
    must(persist.running && persist.cut != NULL);
    persist.running = false;
    if (persist.background)
        persist.last_duration_s = clock_now.ms / 1000 - persist.begin_s;
    save_cut_free(persist.cut);
    persist.cut = NULL;
    if (end->error != 0)
        take_flushed_back(persist.flushed_at_begin);
    if (end->error == 0) {
        take_success(end);
        if (persist.background)
            log_line(LOG_NOTICE, "Background saving terminated with success");
    } else if (end->error == -ECANCELED) {
        /* not a failure: the status stays as it was */
        log_line(LOG_NOTICE, "Background saving cancelled");
        persist.last_error = end->error;
    } else {
        note_failure(end->error,
                     persist.background ? "Background saving error" : "Error saving the DB",
                     end->text);
    }
}

static void
log_progress(void)
{
    struct snapshot_status s;
    int64_t now = os_monotonic_us();

    if (now < persist.next_log_us)
        return;
    persist.next_log_us = now + LOG_EACH_US;
    snapshot_status(&s);
    if (s.state == SNAPSHOT_SWEEPING && s.keys_total > 0)
        log_line(LOG_NOTICE, "Background saving: %llu of %llu keys (%.0f %%), %llu MB written",
                 (unsigned long long)s.keys_done, (unsigned long long)s.keys_total,
                 100.0 * (double)s.keys_done / (double)s.keys_total,
                 (unsigned long long)(s.bytes_out >> 20));
}

static void
poll_blocks(unsigned blocks)
{
    struct snapshot_end end;

    if (persist.running && snapshot_poll(blocks, &end))
        take_end(&end);
}

void
persist_poll(void)
{
    if (!persist.running)
        return;
    poll_blocks(SETTLE_BLOCKS);
}

/* What is left to settle is done at once: a slice a turn, and no wait meanwhile. */
static void
look_after_save(unsigned slice_us)
{
    (void)slice_us;
    persist_poll();
    loop_task_at(&save_task, snapshot_wants_poll() ? LOOP_NOW : LOOP_NEVER);
    loop_task_each_turn(&save_task, persist.running);
}

static bool
save_point_is_due(void)
{
    int64_t now = clock_now.ms / 1000;

    if (!persist.last_ok && now - persist.last_try_s <= RETRY_S)
        return false;
    for (int i = 0; i < config.save_point_count; i++) {
        const struct save_point *p = &config.save_points[i];

        if (db_state.dirty >= (uint64_t)p->changes && now - persist.last_save_s > p->seconds) {
            log_line(LOG_NOTICE, "%d changes in %d seconds. Saving...", (int)p->changes,
                     (int)p->seconds);
            return true;
        }
    }
    return false;
}

void
persist_cron(void)
{
    if (db_state.loading)
        return;
    if (persist.running) {
        log_progress();
        return;
    }
    if (persist.scheduled && clock_now.ms / 1000 - persist.last_try_s <= RETRY_S &&
        !persist.last_ok)
        return;
    if (persist.scheduled || save_point_is_due())
        (void)begin_in_background(persist.scheduled);
}

static void
look_at_save_points(unsigned slice_us)
{
    (void)slice_us;
    loop_task_at(&cron_task, clock_now.ms + CRON_MS);
    loop_run_cron(persist_cron);
}

void
persist_flushed(void)
{
    if (!has_save_points())
        return;
    persist.scheduled = true;
    /* of the running save's, too, if it fails: the next one covers them */
    persist.flushed += db_state.dirty;
    db_state.dirty = persist.dirty_at_begin = 0;
}

bool
persist_is_saving(void)
{
    return persist.running;
}

const char *
persist_write_error(void)
{
    if (persist.last_ok || !config.stop_writes_on_bgsave_error || !has_save_points())
        return NULL;
    return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
}

bool
persist_writers_delayed(void)
{
    bool delayed = config.snapshot_memory_limit != 0 && mm_barrier_on &&
                   mm_snapshot_bytes() >= (size_t)config.snapshot_memory_limit;

    if (delayed && !persist.delayed)
        persist.delays++;
    persist.delayed = delayed;
    return delayed;
}

void
persist_reset_stats(void)
{
    persist.last_begin_us = 0;
}

int64_t
persist_last_begin_us(void)
{
    return persist.last_begin_us;
}

/* wait_for_end: serve nobody until the running save has ended. */
static void
wait_for_end(void)
{
    while (persist.running) {
        snapshot_wait();
        poll_blocks(UINT32_MAX);
    }
}

int
persist_save_now(void)
{
    int r;

    wait_for_end();
    persist.background = persist.for_flush = false;
    if ((r = begin()) < 0) {
        note_failure(r, "Can't save", strerror(-r));
        return r;
    }
    wait_for_end();
    return persist.last_error;
}

int
persist_bgsave(void)
{
    must(!persist.running);
    return begin_in_background(false);
}

enum persist_cancelled
persist_cancel(void)
{
    if (persist.running) {
        snapshot_cancel();
        return PERSIST_RUNNING;
    }
    if (!persist.scheduled)
        return PERSIST_NONE;
    persist.scheduled = false;
    take_flushed_back(persist.flushed);
    return PERSIST_SCHEDULED;
}

int64_t
persist_last_save_s(void)
{
    return persist.last_save_s;
}

int
persist_shutdown(bool save, bool nosave)
{
    if (persist.running) {
        log_line(LOG_NOTICE, "A background save is running: cancelling it");
        snapshot_cancel();
        wait_for_end();
    }
    if (!save && (nosave || !has_save_points()))
        return 0;
    log_line(LOG_NOTICE, "Saving the final RDB snapshot before exiting.");
    if (persist_save_now() == 0)
        return 0;
    log_line(LOG_WARNING, "Error trying to save the DB, can't exit.");
    return -EIO;
}

/* ---- INFO ---- */

static double
percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void
info_running(struct text *out)
{
    struct snapshot_status s;
    struct mm_figures f;
    int64_t elapsed_us, eta_us = -1;

    snapshot_status(&s);
    mm_figures(&f);
    elapsed_us = s.state == SNAPSHOT_IDLE ? 0 : os_monotonic_us() - s.begin_us;
    if (s.state == SNAPSHOT_SWEEPING && s.keys_done > 0)
        eta_us = (int64_t)((double)elapsed_us / (double)s.keys_done *
                           (double)(s.keys_total - s.keys_done));
    text_addf(out, "current_cow_peak:%zu\r\ncurrent_cow_size:%zu\r\ncurrent_cow_size_age:0\r\n",
              persist.running ? f.peak_bytes : 0, persist.running ? mm_snapshot_bytes() : 0);
    text_addf(out, "current_fork_perc:%.2f\r\n", percent(s.keys_done, s.keys_total));
    text_addf(out, "current_save_keys_processed:%llu\r\ncurrent_save_keys_total:%llu\r\n",
              (unsigned long long)s.keys_done, (unsigned long long)s.keys_total);
    text_addf(out, "current_save_bytes_written:%llu\r\ncurrent_save_eta_seconds:%lld\r\n",
              (unsigned long long)s.bytes_out, (long long)(eta_us < 0 ? -1 : eta_us / 1000000));
}

static void
info_snapshot_memory(struct text *out)
{
    struct mm_figures f;

    mm_figures(&f);
    text_addf(
        out,
        "snapshot_preserved_bytes:%zu\r\nsnapshot_retired_bytes:%zu\r\nsnapshot_newborn_bytes:%zu\r\n",
        f.preserved_bytes, f.retired_bytes, f.newborn_bytes);
    text_addf(out, "snapshot_preserved_pages:%llu\r\nsnapshot_peak_bytes:%zu\r\n",
              (unsigned long long)f.preserved_pages, f.peak_bytes);
    text_addf(out, "snapshot_epoch:%u\r\nsnapshot_writers_delayed:%llu\r\n", f.epoch,
              (unsigned long long)persist.delays);
}

void
persist_info(struct text *out)
{
    int64_t now = clock_now.ms / 1000;
    struct carried_sum carried;

    text_addf(out, "loading:%d\r\nasync_loading:0\r\n", db_state.loading);
    info_running(out);
    text_addf(out, "rdb_changes_since_last_save:%llu\r\n", (unsigned long long)db_state.dirty);
    text_addf(out, "rdb_bgsave_in_progress:%d\r\nrdb_bgsave_scheduled:%d\r\n", persist.running,
              persist.scheduled);
    text_addf(out, "rdb_last_save_time:%lld\r\n", (long long)persist.last_save_s);
    text_addf(out, "rdb_last_bgsave_status:%s\r\n", persist.last_ok ? "ok" : "err");
    text_add(out, "rdb_last_bgsave_type:forkless\r\n");
    text_addf(out, "rdb_last_bgsave_time_sec:%lld\r\n", (long long)persist.last_duration_s);
    text_addf(out, "rdb_current_bgsave_time_sec:%lld\r\n",
              (long long)(persist.running ? now - persist.begin_s : -1));
    text_addf(out, "rdb_saves:%llu\r\nrdb_last_cow_size:%zu\r\n", (unsigned long long)persist.saves,
              persist.last_peak_bytes);
    text_addf(out, "rdb_last_load_keys_expired:%llu\r\nrdb_last_load_keys_loaded:%llu\r\n",
              (unsigned long long)persist.load_expired, (unsigned long long)persist.load_keys);
    carried = carried_sum();
    text_addf(
        out,
        "rdb_kept_libraries:%llu\r\nrdb_kept_library_bytes:%llu\r\nrdb_kept_aux_fields:%llu\r\n",
        (unsigned long long)carried.libraries, (unsigned long long)carried.library_bytes,
        (unsigned long long)carried.aux_fields);
    info_snapshot_memory(out);
    text_add(out, "aof_enabled:0\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
                  "aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n");
    persist_info_loading(out);
}
