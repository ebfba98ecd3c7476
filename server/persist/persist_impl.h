/* server/persist/persist_impl.h - what the files of this folder share.
 * Each calls only what stands above it here, or in persist.h; none calls back.
 * Threads: mutator. */
#ifndef SERVER_PERSIST_PERSIST_IMPL_H
#define SERVER_PERSIST_PERSIST_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/persist/persist.h"
#include "snapshot/snapshot.h"

struct persist_copy;
struct save_cut;
struct text;

enum {
    PERSIST_REASON_BYTES = 160,
    PERSIST_PATH_BYTES = 512,
    PERSIST_CAUSE_BYTES = PERSIST_PATH_BYTES + 300
};

/* What a save took beside the data, each at its highest: bytes. */
struct persist_peaks {
    size_t preserved, retired, newborn;
};

struct persist {
    bool running, scheduled;
    bool wanted; /* a client asked for another save while one ran */
    /* the running save is BGSAVE's or a save point's, not SAVE's or SHUTDOWN's */
    bool background;
    bool last_ok;         /* rdb_last_bgsave_status */
    bool refuses_writes;  /* it is that of a save that failed, not of one that was given up */
    struct save_cut *cut; /* of the running save */
    /* what the running snapshot is for, if not the dump: persist_copy_begin(); NULL: the dump */
    const struct persist_copy *copy;
    bool for_flush; /* ... but FLUSHALL's: no rdb_saves */
    int last_error; /* of the last save of any kind; 0: it succeeded */
    /* why the last save of any kind that failed did; why the status is `err`, "" while it is not */
    char cause[PERSIST_CAUSE_BYTES], status_cause[PERSIST_CAUSE_BYTES];
    const char *cancel_why, *last_cancel_why; /* of the running save, the last one that ended so */
    char given_up_why[PERSIST_REASON_BYTES];  /* ... if it was for its memory */
    char path[PERSIST_PATH_BYTES];            /* of the running save's dump, or the last one's */
    uint64_t dirty_at_begin; /* db_state.dirty then: what the save, if it succeeds, covers */
    /* changes that FLUSHALL took out of db_state.dirty, since the save that it asks for covers
     * them; they come back if that fails.  flushed_at_begin: as dirty_at_begin */
    uint64_t flushed, flushed_at_begin;
    int64_t dump_begin_s; /* of the last save that was to be the dump, not a copy */
    int64_t begin_s, last_save_s, last_try_s, last_duration_s;
    int64_t last_duration_us; /* of the same save as last_duration_s; -1: there was none */
    int64_t retry_after_s; /* while last_ok is false: from a try to the next that nobody asks for */
    int64_t last_begin_us; /* how long the start stalled the loop */
    int64_t next_log_us;
    unsigned threads; /* that sweep for the running save, or did for the last one */
    uint64_t saves, failures, cancels; /* failures and cancels: of any kind of save */
    size_t last_peak_bytes;
    struct persist_peaks peaks;    /* of the running save, or the last one */
    struct snapshot_end last_good; /* how the save of last_save_s ended; zeroes: it is none */
    unsigned last_good_threads;
    uint64_t load_keys, load_expired, load_empty;
};
extern struct persist persist;

/* ---- persist_status.c ---- */

/* persist_set_last_ok: rdb_last_bgsave_status; while it is false, write commands ask. */
void persist_set_last_ok(bool ok);
/* persist_note_failure: the status is BGSAVE's: a SAVE that fails tells its client, and nobody
 * else. */
void persist_note_failure(int error, const char *what, const char *text);
/* persist_note_success: end is that of a save whose dump is in place. */
void persist_note_success(const struct snapshot_end *end);
/* persist_note_peaks: before memory of the running save comes back. */
void persist_note_peaks(void);
/* persist_note_given_up: for its memory: the status is not ok, since there is no new dump, but no
 * write is refused, since the next try may have more luck. */
void persist_note_given_up(const char *reason);
/* persist_saves_by_itself: there are save points, or another reason to (persist_when.c). */
bool persist_saves_by_itself(void);

/* ---- persist_count.c ---- */

void persist_count_init(void);
/* persist_count_look: now and then, and before db_state.dirty is changed by others than writers. */
void persist_count_look(void);
/* persist_count_adjust: db_state.dirty is this now, without any write. */
void persist_count_adjust(uint64_t dirty);
/* persist_count_begun: a save covers what was counted until now; _saved: it has succeeded. */
void persist_count_begun(void);
void persist_count_saved(void);
/* persist_count_bytes: of the words of commands that have changed something since the last save;
 * 0 unless save-bytes is set. */
uint64_t persist_count_bytes(void);
/* persist_idle_ms: since something was changed, or the start; 100 ms more or less. */
int64_t persist_idle_ms(void);

/* ---- persist_keep.c ---- */

/* persist_keep_asks: what the configuration says of the file: verified, kept, cached. */
void persist_keep_asks(struct snapshot_request *rq);
/* persist_keep_note: what became of that; before its success or failure is logged. */
void persist_keep_note(const struct snapshot_end *end);
/* persist_keep_loaded: the data is that of a dump of this size. */
void persist_keep_loaded(uint64_t file_bytes);
void persist_info_keep(struct text *out);

/* ---- persist_waiters.c ---- */

/* persist_waiters_begun: a save of the whole data into the dump begins: who waited for the next one
 * waits for it.  persist_waiters_end: it has ended. */
void persist_waiters_begun(void);
void persist_waiters_end(enum persist_outcome outcome);
/* persist_waiters_drop_next: the save that was to come does not. */
void persist_waiters_drop_next(enum persist_outcome outcome);
/* persist_waiters_put_off: who waits for the running one is told of the next instead.  True: there
 * is somebody. */
bool persist_waiters_put_off(void);
unsigned persist_waiters_count(void);

/* ---- persist_limit.c ---- */

void persist_limit_init(void);
/* persist_limit_begin: a cut has just begun. */
void persist_limit_begin(void);
/* persist_limit_poll: once a turn while a save runs: may it go on, and may writers? */
void persist_limit_poll(void);
/* persist_limit_end: the save has ended.  Why it was given up for its memory [borrowed, until the
 * next begins]; NULL: it was not. */
const char *persist_limit_end(bool failed);
struct persist_limit_figures {
    size_t limit_bytes; /* of the running save, or of one that would begin now; 0: none */
    bool throttled;     /* writers are held now and then */
    uint64_t throttles, throttled_us, given_up; /* since the start */
};
void persist_limit_figures(struct persist_limit_figures *ret);

/* ---- persist_log.c ---- */

/* persist_log_begun: its cut is taken. */
void persist_log_begun(void);
/* persist_eta_us: how long the sweep will take from now on; -1: not known, or it is over. */
int64_t persist_eta_us(const struct snapshot_status *s);
/* persist_log_success: its dump is in place. */
void persist_log_success(const struct snapshot_end *end);
/* persist_log_version: a line where the dump is of a higher version than is configured
 * (save_version()). */
void persist_log_version(int version);
/* persist_log_lost: a line for each bit of enum save_lost. */
void persist_log_lost(unsigned lost);
/* persist_log_progress: now and then while a save runs; a line every few seconds. */
void persist_log_progress(void);

/* ---- persist_config.c ---- */

/* persist_config_changed: the configuration is another: what the running save does not take over is
 * said. */
void persist_config_changed(void);

/* ---- persist.c ---- */

void persist_save_init(void);
/* persist_begin: take the cut now, for the dump; or for a copy, as persist_copy_begin() says.  0 or
 * -errno. */
int persist_begin(const struct persist_copy *copy);
/* persist_begin_in_background: with what Redis logs around it. */
int persist_begin_in_background(bool for_flush);
/* persist_drop_wanted: the save that was to come because clients asked for it does not. */
void persist_drop_wanted(const char *why);
/* persist_poll_blocks: as persist_poll(), with at most so many blocks of settling. */
void persist_poll_blocks(unsigned blocks);

/* ---- persist_copy.c ---- */

/* persist_copy_info: INFO's lines about copies. */
void persist_copy_info(struct text *out);

/* ---- persist_when.c ---- */

void persist_when_init(void);
/* persist_retry_s: when a save that failed is tried again, at the earliest: unix time; -1: nothing
 * is to be tried again. */
int64_t persist_retry_s(void);
void persist_info_when(struct text *out);

/* ---- persist_load.c ---- */

/* How far a load has come. */
struct persist_loading {
    uint64_t size_bytes, offset, keys;
    int64_t elapsed_us;
};
/* persist_loading_eta_us: how long it will take from now on, if it goes on as it did; -1: not known
 * yet.
 * persist_loading_text: "40 % of 560 MB, 2000000 keys, 1.9 M keys/s, 3 s left" */
int64_t persist_loading_eta_us(const struct persist_loading *l);
void persist_loading_text(struct text *out, const struct persist_loading *l);
/* persist_info_loading: the loading_* fields while a dump is loaded; nothing otherwise. */
void persist_info_loading(struct text *out);

#endif
