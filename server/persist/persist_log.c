/* server/persist/persist_log.c - what the log says of a save that is under way. */
#include "mm/base/log.h"
#include "mm/base/os.h"
#include "server/persist/persist_impl.h"
#include "snapshot/snapshot.h"

enum { LOG_EACH_US = 5 * 1000 * 1000 /* progress lines of a long save */ };

void
persist_log_begun(void)
{
    persist.next_log_us = os_monotonic_us() + LOG_EACH_US;
}

void
persist_log_progress(void)
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
