/* server/persist/persist_count.c - what has changed since the last save, beside the number of
 * changes, and when something changed last. */
#include "mm/base/clock.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/exec/effect.h"
#include "server/persist/persist_impl.h"

static struct {
    uint64_t bytes, bytes_at_begin;
    uint64_t seen_dirty; /* db_state.dirty when it was last looked at */
    int64_t changed_ms;  /* when it was another, by the clock of turns */
} count;

/* count_effect: the words of what has changed the data, as an append-only file would hold them. */
static void
count_effect(int db_index, int argc, const struct slice *argv)
{
    (void)db_index;
    for (int i = 0; i < argc; i++)
        count.bytes += argv[i].len;
}

/* Effects are told for this alone, and only where somebody asks: commands pay nothing otherwise. */
static bool
apply_bytes(const struct config *next, const char **why)
{
    static bool listens;

    (void)why;
    if (listens != (next->save_bytes > 0)) {
        listens = next->save_bytes > 0;
        effect_listen(listens ? count_effect : NULL);
        count.bytes = count.bytes_at_begin = 0;
    }
    return true;
}

void
persist_count_init(void)
{
    count.seen_dirty = db_state.dirty;
    count.changed_ms = clock_now.ms;
    config_follow("save-bytes", apply_bytes);
}

void
persist_count_look(void)
{
    if (db_state.dirty == count.seen_dirty)
        return;
    count.seen_dirty = db_state.dirty;
    count.changed_ms = clock_now.ms;
}

void
persist_count_adjust(uint64_t dirty)
{
    persist_count_look();
    db_state.dirty = count.seen_dirty = dirty;
}

void
persist_count_begun(void)
{
    count.bytes_at_begin = count.bytes;
}

void
persist_count_saved(void)
{
    count.bytes -= count.bytes_at_begin;
    count.bytes_at_begin = 0;
}

uint64_t
persist_count_bytes(void)
{
    return count.bytes;
}

int64_t
persist_idle_ms(void)
{
    return clock_now.ms - count.changed_ms;
}
