/* server/persist/persist.h - when snapshots are taken and loaded: SAVE, BGSAVE, save points,
 * start-up, shutdown, MISCONF. How they are taken is snapshot/snapshot.h; what of a record is
 * written is save.c.
 * Threads: mutator. */
#ifndef SERVER_PERSIST_PERSIST_H
#define SERVER_PERSIST_PERSIST_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct save_filter;
struct sink;
struct snapshot_end;
struct text;

/* persist_init: after snapshot_start() and configuration; the loop gets its tasks.  0 or -errno. */
int persist_init(void);
/* persist_rehearse: take the cut of the databases, which are empty, and write its dump to nowhere:
 * what a save touches for the first time is touched, and what is bound late is bound, before
 * somebody waits for it: program text of all its threads, their stacks, the grace period's.  Blocks
 * until it is over: 12 ms, in which liburcu's thread waits for more to do; emulated some 30.  What
 * fails is logged. */
void persist_rehearse(void);
/* persist_load: fill the empty databases from the configured dump.  0; 1: refuse to start, already
 * logged. */
int persist_load(void);

/* persist_poll: once per turn of the loop while a save runs, and when snapshot_event_fd() is
 * readable. */
void persist_poll(void);
/* persist_cron: each 100 ms, by the loop: save points, scheduled saves. */
void persist_cron(void);

/* persist_flushed: FLUSHALL was executed: with save points configured a save begins as soon as
 * possible, and no change until here counts any more. */
void persist_flushed(void);

/* persist_save_now: wait for a running save, then save while everybody waits.  0 or -errno,
 * logged. */
int persist_save_now(void);
/* persist_bgsave: begin a save in the background; none is under way.  0 or -errno, logged. */
int persist_bgsave(void);
/* persist_bgsave_next: the same as soon as the one that runs has ended; now, with the next look at
 * the save points, if none does. */
void persist_bgsave_next(void);

/* Someone who waits for the end of a save: embedded in what its owner keeps. */
enum persist_outcome {
    PERSIST_SAVED,
    PERSIST_FAILED,   /* persist_cause() */
    PERSIST_GIVEN_UP, /* persist_cancel_reason() */
};
struct persist_waiter {
    /* It has ended, and this waits no longer.  May begin no save. */
    void (*told)(void *ctx, enum persist_outcome outcome);
    void *ctx;
    /* set within */
    struct persist_waiter *next, **link;
};
/* persist_wait_for: w [borrowed, until it is told or waits no more] is told of the end of the save
 * that runs, or, with next, of the one that begins behind it: what was written before this call is
 * in that. */
void persist_wait_for(struct persist_waiter *w, bool next);
/* persist_wait_no_more: the save goes on, or begins, all the same. */
void persist_wait_no_more(struct persist_waiter *w);

/* persist_cancel: end the snapshot that is under way, whatever it is for, or forget the save that
 * is to come.
 * persist_cancel_because: end the one that is under way; why [const, for ever] is what the log and
 * INFO say.  Neither is a failure: status, LASTSAVE and the dump stay as they are. */
void persist_cancel_because(const char *why);
enum persist_cancelled { PERSIST_NONE, PERSIST_RUNNING, PERSIST_SCHEDULED };
enum persist_cancelled persist_cancel(void);

/* ---- snapshots that are not the dump ----
 *
 * One snapshot is under way at a time, whatever it is for.  Such a one changes nothing of what is
 * known of the dump: LASTSAVE, rdb_changes_since_last_save, rdb_last_bgsave_status, MISCONF. */

struct persist_copy {
    const char *path; /* the file that it becomes, in the working directory; with `open`, a name */
    int (*open)(void *ctx, struct sink **ret); /* as in struct snapshot_request.  May be NULL */
    const struct save_filter *filter;          /* which keys; NULL: all */
    /* It has ended, and is reported once; why: of one that was cancelled, or given up for its
     * memory, whatever end->error is then; else NULL.  May begin no snapshot. */
    void (*end)(void *ctx, const struct snapshot_end *end, const char *why);
    void *ctx;
};
/* persist_copy_begin: take the cut now; *copy and all in it are there until its end is reported.
 * No snapshot is under way.  0 or -errno. */
int persist_copy_begin(const struct persist_copy *copy);
/* persist_copy_to: into a file of that name in the working directory, which takes the place of an
 * older dump of that name when it is whole: the keys that filter takes [owned, whatever is
 * returned].  No snapshot is under way.  0; or -errno, and *why says more.  Who waits for its end
 * calls persist_wait_for(). */
int persist_copy_to(struct slice name, struct save_filter *filter, struct text *why);
/* persist_copy_cause: why the last one of those that was not made was not: its failure, or who
 * cancelled it. */
const char *persist_copy_cause(void);

/* persist_last_save_s: when the last save that succeeded ended, or the server began: unix time. */
int64_t persist_last_save_s(void);

/* persist_reload: read the configured dump again: flush: the keys that there are go first; merge:
 * where both have a key, the file's stays.  Databases are others afterwards (db_select).  0; else
 * *why says what is wrong, and what was read until then is there. */
int persist_reload(bool flush, bool merge, struct text *why);

/* persist_slows_writers: the running save is near snapshot-memory-limit, and writers are held now
 * and then for it. */
bool persist_slows_writers(void);
/* persist_is_saving: a save is under way, in the background or not. */
bool persist_is_saving(void);
/* persist_cause: why the last save of any kind that failed did: one line, with errno and path; ""
 * if none has failed.  Good until the next fails. */
const char *persist_cause(void);
/* persist_cancel_reason: why the last save that was given up was. */
const char *persist_cancel_reason(void);
/* persist_write_error: the reply (without "-") for a write command while writes are refused because
 * the last background save failed and stop-writes-on-bgsave-error is on; NULL: writes are
 * welcome. */
const char *persist_write_error(void);

/* persist_info: INFO's section, without its heading, while loading with the loading_*
 * fields. */
void persist_info(struct text *out);
/* persist_last_begin_us: how long the start of the last BGSAVE stalled the loop: INFO's
 * latest_fork_usec. */
int64_t persist_last_begin_us(void);
/* persist_reset_stats: that figure: CONFIG RESETSTAT. */
void persist_reset_stats(void);

/* persist_shutdown: end what runs and, with save (or without nosave, when save points are
 * configured), save. 0, or -errno: the save failed and the server had better stay. */
int persist_shutdown(bool save, bool nosave);

#endif
