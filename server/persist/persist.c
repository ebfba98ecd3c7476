/* server/persist/persist.c - one save: its begin, its turns, its end, whoever asked for it. */
#include "server/persist/persist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/ticks.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/save.h"
#include "server/figures/latency.h"
#include "server/net/loop.h"
#include "server/persist/persist_impl.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/sink.h"

enum {
    SETTLE_BLOCKS = 256,      /* a slice of settling: well below 100 microseconds */
    WRITEOUT_BYTES = 4 << 20, /* incremental write-out of the dump */
    AUTO_THREADS_MAX = 4      /* more do not make a file faster than it is written */
};

static const char by_command[] = "by BGSAVE CANCEL";

static void look_after_save(unsigned slice_us);

static struct loop_task save_task = {
    .place = LOOP_SNAPSHOT, .due_ms = LOOP_NEVER, .run = look_after_save};

/* threads: how many sweep.  The event loop keeps a processor for itself, unless it waits for the
 * save. */
static unsigned
threads(bool background)
{
    unsigned cores = os_cores(), n = background && cores > 1 ? cores - 1 : cores;

    if (config.snapshot_threads != 0)
        return (unsigned)config.snapshot_threads;
    return n < AUTO_THREADS_MAX ? n : AUTO_THREADS_MAX;
}

/* follow: a thread is made when it is configured, not when a save begins. */
static void
follow(void)
{
    (void)snapshot_threads(threads(true));
    snapshot_rate(config.snapshot_rate_limit);
    persist_config_changed();
}

void
persist_save_init(void)
{
    loop_task_add(&save_task);
    config_after_change(follow);
    follow();
}

/* note_covered: what the dump that begins covers, if it succeeds. */
static void
note_covered(void)
{
    persist.scheduled = false;
    persist.wanted = false;
    persist_waiters_begun();
    persist.dirty_at_begin = db_state.dirty;
    persist_count_begun();
    persist.dump_begin_s = clock_now.ms / 1000;
    persist.flushed_at_begin = persist.flushed;
}

/* compression: of a file, as configured; a reader behind a connection has not said that it knows a
 * file that is compressed as a whole. */
static enum rdb_compression
compression(const struct persist_copy *copy)
{
    enum rdb_compression form = (enum rdb_compression)config.rdb_compression;

    return copy != NULL && copy->open != NULL && form == RDB_LZ4 ? RDB_LZF : form;
}

/* request: of the dump, or of a copy; without what only the dump is asked for. */
static struct snapshot_request
request(struct save_cut *cut, const struct persist_copy *copy, bool all_wait)
{
    struct snapshot_request rq = {.ops = &save_snapshot_ops,
                                  .cut = cut,
                                  .path = config.dbfilename,
                                  .rdb_version = save_version((int)config.rdb_version),
                                  .compression = compression(copy),
                                  .compression_level = (int)config.rdb_compression_level,
                                  .checksum = config.rdb_checksum,
                                  .threads = threads(!all_wait),
                                  .keys_total = db_total_keys(),
                                  .writeout_bytes = WRITEOUT_BYTES};

    if (copy == NULL)
        return rq;
    rq.path = copy->path;
    rq.open = copy->open;
    rq.open_ctx = copy->ctx;
    rq.verify = config.snapshot_verify && copy->open == NULL;
    return rq;
}

int
persist_begin(const struct persist_copy *copy)
{
    bool all_wait = copy == NULL && !persist.background;
    struct save_cut *cut = save_cut_new();
    struct snapshot_request rq;
    struct snapshot_status status;
    int r;

    must(!persist.running && !db_state.loading); /* what is half loaded is no dump */
    if (copy == NULL)
        snprintf(persist.path, sizeof persist.path, "%s/%s", config.dir, config.dbfilename);
    if (cut == NULL)
        return -ENOMEM;
    save_cut_choose(cut, copy != NULL ? copy->filter : NULL);
    rq = request(cut, copy, all_wait);
    if (copy == NULL)
        persist_keep_asks(&rq);
    if ((r = snapshot_begin(&rq)) < 0) {
        save_cut_free(cut);
        return r;
    }
    persist.cut = cut;
    persist.copy = copy;
    persist.running = true;
    persist_limit_begin();
    loop_task_each_turn(&save_task, true);
    if (copy == NULL)
        note_covered();
    else
        persist.background = true;
    persist.begin_s = clock_now.ms / 1000;
    persist.peaks = (struct persist_peaks){.preserved = 0};
    persist.cancel_why = NULL;
    snapshot_status(&status);
    persist.threads = status.threads;
    persist.last_begin_us = (int64_t)(status.begin_cost_ns / 1000);
    persist_log_begun();
    persist_log_version(rq.rdb_version);
    latency_add("snapshot-cut", (uint64_t)persist.last_begin_us / 1000);
    return 0;
}

/* Thread: writer. */
static int
open_nowhere(void *ctx, struct sink **ret)
{
    (void)ctx;
    return sink_memory_open(ret);
}

/* Nothing of it stays but what it has touched: it is no save that anybody is told of. */
void
persist_rehearse(void)
{
    static const struct persist_copy nowhere = {.path = "the rehearsal", .open = open_nowhere};
    struct save_cut *cut = save_cut_new();
    struct snapshot_request rq;
    struct snapshot_end end;
    int r = -ENOMEM;

    must(!persist.running);
    if (cut != NULL) {
        save_cut_choose(cut, NULL);
        rq = request(cut, &nowhere, false);
        r = snapshot_begin(&rq);
    }
    if (r == 0) {
        while (!snapshot_poll(SETTLE_BLOCKS, &end))
            snapshot_wait();
        r = end.error;
    }
    if (cut != NULL)
        save_cut_free(cut);
    if (r < 0)
        log_line(LOG_WARNING, "A save that was tried at the start, without a file, failed: %s",
                 strerror(-r));
}

/* take_flushed_back: changes before a FLUSHALL that no save covers. */
static void
take_flushed_back(uint64_t changes)
{
    must(changes <= persist.flushed);
    persist.flushed -= changes;
    persist_count_adjust(db_state.dirty + changes);
}

int
persist_begin_in_background(bool for_flush)
{
    int r;

    persist.last_try_s = clock_now.ms / 1000;
    persist.background = true;
    persist.for_flush = for_flush;
    if ((r = persist_begin(NULL)) < 0) {
        persist_note_failure(r, "Can't save in background", strerror(-r));
        persist.wanted = false;
        persist_waiters_drop_next(PERSIST_FAILED);
        return r;
    }
    return 0;
}

int
persist_bgsave(void)
{
    must(!persist.running);
    return persist_begin_in_background(false);
}

static void
take_success(const struct snapshot_end *end)
{
    uint64_t now = db_state.dirty, then = persist.dirty_at_begin;

    persist_count_adjust(then < now ? now - then : 0);
    persist_count_saved();
    must(persist.flushed_at_begin <= persist.flushed);
    persist.flushed -= persist.flushed_at_begin;
    persist_note_success(end);
    persist_log_success(end);
}

static void
take_cancel(const struct snapshot_end *end)
{
    persist.last_error = end->error; /* not a failure: the status stays as it was */
    must(persist.cancel_why != NULL);
    persist.last_cancel_why = persist.cancel_why;
    persist.cancels++;
    log_line(LOG_NOTICE, "Background saving cancelled: %s", persist.cancel_why);
}

static enum persist_outcome
take_outcome(const struct snapshot_end *end, const char *given_up)
{
    if (end->error == 0) {
        take_success(end);
        return PERSIST_SAVED;
    }
    take_flushed_back(persist.flushed_at_begin);
    if (given_up != NULL) {
        persist_note_given_up(given_up);
        return PERSIST_GIVEN_UP;
    }
    if (end->error == -ECANCELED) {
        take_cancel(end);
        return PERSIST_GIVEN_UP;
    }
    persist_note_failure(end->error,
                         persist.background ? "Background saving error" : "Error saving the DB",
                         end->text);
    return PERSIST_FAILED;
}

static enum persist_outcome
take_end_of_copy(const struct persist_copy *copy, const struct snapshot_end *end,
                 const char *given_up)
{
    const char *why = given_up != NULL           ? given_up
                      : end->error == -ECANCELED ? persist.cancel_why
                                                 : NULL;

    copy->end(copy->ctx, end, why);
    return why != NULL ? PERSIST_GIVEN_UP : end->error == 0 ? PERSIST_SAVED : PERSIST_FAILED;
}

static void
take_end(const struct snapshot_end *end)
{
    const char *given_up = persist_limit_end(end->error != 0);
    const struct persist_copy *copy = persist.copy;

    must(persist.running && persist.cut != NULL);
    persist.running = false;
    if (persist.background && copy == NULL) {
        persist.last_duration_s = clock_now.ms / 1000 - persist.begin_s;
        persist.last_duration_us = end->total_us;
    }
    if (end->error == 0)
        persist_log_lost(save_cut_lost(persist.cut));
    save_cut_free(persist.cut);
    persist.cut = NULL;
    persist.copy = NULL;
    if (copy == NULL)
        persist_keep_note(end);
    persist_waiters_end(copy == NULL ? take_outcome(end, given_up)
                                     : take_end_of_copy(copy, end, given_up));
}

void
persist_poll_blocks(unsigned blocks)
{
    struct snapshot_end end;

    if (!persist.running)
        return;
    persist_note_peaks();
    if (snapshot_poll(blocks, &end))
        take_end(&end);
}

void
persist_poll(void)
{
    if (!persist.running)
        return;
    persist_limit_poll();
    persist_poll_blocks(SETTLE_BLOCKS);
}

/* What is left to settle is done at once: a slice a turn, and no wait meanwhile.  A turn that takes
 * long does so for the end: of the cut, or of the save. */
static void
look_after_save(unsigned slice_us)
{
    uint64_t begin_ticks = ticks_now();

    (void)slice_us;
    persist_poll();
    latency_add("snapshot-end", ticks_to_ns(ticks_now() - begin_ticks) / 1000000);
    loop_task_at(&save_task, snapshot_wants_poll() ? LOOP_NOW : LOOP_NEVER);
    loop_task_each_turn(&save_task, persist.running);
}

void
persist_cancel_because(const char *why)
{
    must(persist.running);
    if (persist.cancel_why == NULL) /* the first one counts */
        persist.cancel_why = why;
    snapshot_cancel();
}

void
persist_drop_wanted(const char *why)
{
    if (persist.wanted)
        persist.last_cancel_why = why;
    persist.wanted = false;
    persist_waiters_drop_next(PERSIST_GIVEN_UP);
}

enum persist_cancelled
persist_cancel(void)
{
    if (persist.running) {
        persist_cancel_because(by_command);
        return PERSIST_RUNNING;
    }
    if (!persist.scheduled && !persist.wanted)
        return PERSIST_NONE;
    persist.scheduled = false;
    take_flushed_back(persist.flushed);
    persist_drop_wanted(by_command);
    return PERSIST_SCHEDULED;
}
