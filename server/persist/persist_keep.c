/* server/persist/persist_keep.c - what a save does with its file beside writing it: how much room
 * it will need, whether it is read back, which dumps are kept beside it. */
#include <errno.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/text.h"
#include "mm/mm.h"
#include "server/config/config.h"
#include "server/persist/persist_impl.h"

/* The last dump whose size is known, and what the data took in memory then: the next one will have
 * about as many bytes for each byte of the data. */
static struct {
    uint64_t file_bytes, live_bytes;
} last;

static struct {
    enum snapshot_verified verified; /* the file of the last background save */
    int64_t verify_us;               /* -1: it was not */
    char kept[NAME_MAX + 1];         /* the last dump that was kept; "": none since the start */
    bool keeping_failed;             /* of the last save that was to keep one */
} state = {.verify_us = -1};

static uint64_t
live_bytes(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.live_bytes;
}

static void
note_size(uint64_t file_bytes)
{
    last.file_bytes = file_bytes;
    last.live_bytes = live_bytes();
}

/* expected_bytes: without a dump before it, what the data takes in memory: more, in general. */
static uint64_t
expected_bytes(void)
{
    enum { TOO_LITTLE_BYTES = 1 << 20 }; /* to tell anything of what comes */
    uint64_t live = live_bytes();

    return last.live_bytes < TOO_LITTLE_BYTES
               ? live
               : (uint64_t)((double)last.file_bytes * (double)live / (double)last.live_bytes);
}

void
persist_keep_asks(struct snapshot_request *rq)
{
    rq->expected_bytes = expected_bytes();
    rq->verify = config.snapshot_verify;
    rq->retain = (unsigned)config.snapshot_retain;
    /* A save that everybody waits for is SHUTDOWN's, as a rule: the next start reads the file. */
    rq->keeps_cache = !persist.background;
}

static void
note_verified(const struct snapshot_end *end)
{
    if (persist.background) {
        state.verified = end->verified;
        state.verify_us = end->verified != SNAPSHOT_NOT_VERIFIED ? end->verify_us : -1;
    }
    if (end->verified == SNAPSHOT_IS_GOOD)
        log_line(LOG_NOTICE, "The new dump was read back in %.3f seconds: it is whole",
                 (double)end->verify_us / 1e6);
}

static void
note_retained(const struct retained *r)
{
    if (r->name[0] != '\0') {
        memcpy(state.kept, r->name, sizeof state.kept);
        for (char *p = state.kept; *p != '\0'; p++)
            if ((unsigned char)*p < ' ') /* one line of INFO, whatever the dump's name has */
                *p = '?';
        log_line(LOG_NOTICE, "A dump is kept as %s (snapshot-retain); older ones removed: %u",
                 state.kept, r->removed);
    }
    state.keeping_failed = r->error != 0;
    if (r->error != 0)
        log_line(LOG_WARNING, "Dumps cannot be kept as snapshot-retain says: %s: %s%s", r->step,
                 strerror(-r->error),
                 r->error == -EOPNOTSUPP ? ": this file system has neither hard links nor exchange"
                                         : "");
}

void
persist_keep_note(const struct snapshot_end *end)
{
    note_verified(end);
    if (end->error == 0)
        note_size(end->file_bytes);
    if (config.snapshot_retain > 0 || end->retained.error != 0 || end->retained.name[0] != '\0')
        note_retained(&end->retained);
}

void
persist_keep_loaded(uint64_t file_bytes)
{
    note_size(file_bytes);
}

void
persist_info_keep(struct text *out)
{
    static const char *const words[] = {
        [SNAPSHOT_NOT_VERIFIED] = "off", [SNAPSHOT_IS_GOOD] = "ok", [SNAPSHOT_IS_DAMAGED] = "err"};

    text_addf(out, "rdb_last_bgsave_verify:%s\r\nrdb_last_bgsave_verify_time_usec:%lld\r\n",
              words[state.verified], (long long)state.verify_us);
    text_addf(out, "rdb_last_retained:%s\r\nrdb_last_retain_status:%s\r\n", state.kept,
              state.keeping_failed ? "err" : "ok");
}
