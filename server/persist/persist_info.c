/* server/persist/persist_info.c - INFO's section about saves and loads. */
#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "server/scripts/function.h"
#include "snapshot/snapshot.h"

typedef unsigned long long ull;

static double
percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static const char *
state_name(const struct snapshot_status *s)
{
    switch (s->state) {
    case SNAPSHOT_IDLE:
        return "idle";
    case SNAPSHOT_SWEEPING:
        return "sweeping";
    case SNAPSHOT_WRITING:
        return s->verifying ? "verifying" : "writing";
    case SNAPSHOT_ENDING:
        return "ending";
    }
    never("a state of a snapshot without a name");
}

static void
info_progress(struct text *out)
{
    struct snapshot_status s;
    int64_t elapsed_us, eta_us;

    snapshot_status(&s);
    elapsed_us = s.state == SNAPSHOT_IDLE ? 0 : os_monotonic_us() - s.begin_us;
    eta_us = persist_eta_us(&s);
    text_addf(out, "current_fork_perc:%.2f\r\n", percent(s.keys_done, s.keys_total));
    text_addf(out, "current_save_keys_processed:%llu\r\ncurrent_save_keys_total:%llu\r\n",
              (ull)s.keys_done, (ull)s.keys_total);
    text_addf(out, "current_save_bytes_written:%llu\r\ncurrent_save_bytes_per_second:%llu\r\n",
              (ull)s.bytes_out,
              (ull)(elapsed_us <= 0 ? 0 : (double)s.bytes_out * 1e6 / (double)elapsed_us));
    text_addf(out, "current_save_eta_seconds:%lld\r\ncurrent_save_state:%s\r\n",
              (long long)(eta_us < 0 ? -1 : eta_us / 1000000), state_name(&s));
    text_addf(out, "current_save_threads:%u\r\n", s.threads);
}

static void
info_running(struct text *out)
{
    struct mm_figures f;

    mm_figures(&f);
    text_addf(out, "current_cow_peak:%zu\r\ncurrent_cow_size:%zu\r\ncurrent_cow_size_age:0\r\n",
              persist.running ? f.peak_bytes : 0, persist.running ? mm_snapshot_bytes() : 0);
    info_progress(out);
}

/* How the last ones ended. */
static void
info_last(struct text *out)
{
    text_addf(out, "rdb_last_save_time:%lld\r\n", (long long)persist.last_save_s);
    text_addf(out, "rdb_last_save_keys:%llu\r\nrdb_last_save_bytes:%llu\r\n",
              (ull)persist.last_good.keys, (ull)persist.last_good.file_bytes);
    text_addf(out, "rdb_last_save_raw_bytes:%llu\r\nrdb_last_save_threads:%u\r\n",
              (ull)persist.last_good.raw_bytes, persist.last_good_threads);
    text_addf(out, "rdb_last_bgsave_status:%s\r\nrdb_last_bgsave_error:%s\r\n",
              persist.last_ok ? "ok" : "err", persist.status_cause);
    text_addf(out, "rdb_bgsave_retry_time:%lld\r\n", (long long)persist_retry_s());
    text_add(out, "rdb_last_bgsave_type:forkless\r\n");
    text_addf(out, "rdb_last_bgsave_time_sec:%lld\r\nrdb_last_bgsave_time_usec:%lld\r\n",
              (long long)persist.last_duration_s, (long long)persist.last_duration_us);
    text_addf(out, "rdb_current_bgsave_time_sec:%lld\r\n",
              (long long)(persist.running ? clock_now.ms / 1000 - persist.begin_s : -1));
    text_addf(out, "rdb_saves:%llu\r\nrdb_saves_failed:%llu\r\nrdb_saves_cancelled:%llu\r\n",
              (ull)persist.saves, (ull)persist.failures, (ull)persist.cancels);
    text_addf(out, "rdb_last_cancel_reason:%s\r\nrdb_last_cow_size:%zu\r\n",
              persist_cancel_reason(), persist.last_peak_bytes);
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
    text_addf(
        out,
        "snapshot_preserved_peak_bytes:%zu\r\nsnapshot_retired_peak_bytes:%zu\r\nsnapshot_newborn_peak_bytes:%zu\r\n",
        persist.peaks.preserved, persist.peaks.retired, persist.peaks.newborn);
    text_addf(out, "snapshot_preserved_pages:%llu\r\nsnapshot_peak_bytes:%zu\r\n",
              (ull)f.preserved_pages, f.peak_bytes);
    text_addf(out, "snapshot_epoch:%u\r\n", f.epoch);
}

static void
info_loaded(struct text *out)
{
    struct function_figures functions;

    function_figures(&functions);
    text_addf(out, "rdb_last_load_keys_expired:%llu\r\nrdb_last_load_keys_loaded:%llu\r\n",
              (ull)persist.load_expired, (ull)persist.load_keys);
    text_addf(
        out,
        "rdb_kept_libraries:%llu\r\nrdb_kept_library_bytes:%llu\r\nrdb_kept_aux_fields:%llu\r\n",
        (ull)functions.unusable, (ull)functions.unusable_bytes, (ull)carried_sum().aux_fields);
}

static void
info_limit(struct text *out)
{
    struct mm_cut_memory m = mm_cut_memory();
    struct persist_limit_figures f;

    persist_limit_figures(&f);
    text_addf(
        out,
        "snapshot_memory_limit_bytes:%zu\r\nsnapshot_held_bytes:%zu\r\nsnapshot_grown_bytes:%zu\r\n",
        f.limit_bytes, m.held_bytes, m.grown_bytes);
    text_addf(out, "snapshot_throttled:%d\r\nsnapshot_throttled_usec:%llu\r\n", f.throttled,
              (ull)f.throttled_us);
    text_addf(out, "snapshot_writers_delayed:%llu\r\nsnapshot_given_up:%llu\r\n", (ull)f.throttles,
              (ull)f.given_up);
}

void
persist_info(struct text *out)
{
    text_addf(out, "loading:%d\r\nasync_loading:0\r\n", db_state.loading);
    info_running(out);
    text_addf(out, "rdb_changes_since_last_save:%llu\r\n", (ull)db_state.dirty);
    text_addf(out, "rdb_bgsave_in_progress:%d\r\nrdb_bgsave_scheduled:%d\r\n", persist.running,
              persist.scheduled || persist.wanted);
    text_addf(out, "rdb_bgsave_waiters:%u\r\n", persist_waiters_count());
    persist_info_when(out);
    info_last(out);
    persist_info_keep(out);
    info_loaded(out);
    persist_copy_info(out);
    info_snapshot_memory(out);
    info_limit(out);
    text_add(out, "aof_enabled:0\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
                  "aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n");
    persist_info_loading(out);
}
