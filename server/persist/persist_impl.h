/* server/persist/persist_impl.h - what persist.c and persist_load.c share.
 * Threads: mutator. */
#ifndef SERVER_PERSIST_PERSIST_IMPL_H
#define SERVER_PERSIST_PERSIST_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct save_cut;
struct text;

struct persist {
    bool running, scheduled;
    /* the running save is BGSAVE's or a save point's, not SAVE's or SHUTDOWN's */
    bool background;
    bool last_ok;            /* rdb_last_bgsave_status */
    bool delayed;            /* snapshot-memory-limit holds writers back at this moment */
    struct save_cut *cut;    /* of the running save */
    bool for_flush;          /* ... but FLUSHALL's: no rdb_saves */
    int last_error;          /* of the last save of any kind; 0: it succeeded */
    uint64_t dirty_at_begin; /* db_state.dirty then: what the save, if it succeeds, covers */
    /* changes that FLUSHALL took out of db_state.dirty, since the save that it asks for covers
     * them; they come back if that fails.  flushed_at_begin: as dirty_at_begin */
    uint64_t flushed, flushed_at_begin;
    int64_t begin_s, last_save_s, last_try_s, last_duration_s;
    int64_t last_begin_us; /* how long the start stalled the loop */
    int64_t next_log_us;
    uint64_t saves, delays;
    size_t last_peak_bytes;
    uint64_t last_file_bytes;
    uint64_t load_keys, load_expired, load_empty;
};
extern struct persist persist;

/* persist_info_loading: the loading_* fields while a dump is loaded; nothing otherwise. */
void persist_info_loading(struct text *out);

#endif
