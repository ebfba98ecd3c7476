/* server/persist/persist_info.c - INFO's section about saves and loads. */
#include "mm/base/clock.h"
#include "mm/base/os.h"
#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "snapshot/snapshot.h"

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
