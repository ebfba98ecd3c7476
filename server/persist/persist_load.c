/* server/persist/persist_load.c - from the dump to the databases: at start-up and for DEBUG RELOAD,
 * with progress. */
#include <errno.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "mm/base/room.h"
#include "mm/base/supervisor.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/data/db/load.h"
#include "server/exec/keyevent.h"
#include "server/net/loop.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "server/scripts/function.h"
#include "snapshot/rdb/set_aside.h"

enum { LOG_EACH_US = 2 * 1000 * 1000, FREE_US = 1000, REASON_BYTES = 1000 };

static struct {
    uint64_t size_bytes, offset;
    int64_t start_us, start_s, next_log_us;
    const struct load_state *state;
} loading;

static const char *
dump_dir(void)
{
    return config.dir[0] != '\0' ? config.dir : ".";
}

static double
seconds_since(int64_t start_us)
{
    return (double)(os_monotonic_us() - start_us) / 1e6;
}

static double
percent(const struct persist_loading *l)
{
    return l->size_bytes == 0 ? 0 : 100.0 * (double)l->offset / (double)l->size_bytes;
}

int64_t
persist_loading_eta_us(const struct persist_loading *l)
{
    if (l->offset == 0)
        return -1;
    return (int64_t)((double)l->elapsed_us / (double)l->offset *
                     (double)(l->size_bytes - l->offset));
}

void
persist_loading_text(struct text *out, const struct persist_loading *l)
{
    double rate = l->elapsed_us <= 0 ? 0 : (double)l->keys / (double)l->elapsed_us * 1e6;
    int64_t eta_us = persist_loading_eta_us(l);

    text_addf(out, "%.0f %% of %llu MB, %llu keys, ", percent(l),
              (unsigned long long)(l->size_bytes >> 20), (unsigned long long)l->keys);
    if (rate < 1e5)
        text_addf(out, "%.0f keys/s", rate);
    else
        text_addf(out, "%.1f M keys/s", rate / 1e6);
    if (eta_us >= 0)
        text_addf(out, ", %lld s left", (long long)(eta_us / 1000000));
}

/* progress: of the load that is going on. */
static struct persist_loading
progress(void)
{
    return (struct persist_loading){.size_bytes = loading.size_bytes,
                                    .offset = loading.offset,
                                    .keys = loading.state->keys_loaded,
                                    .elapsed_us = os_monotonic_us() - loading.start_us};
}

void
persist_info_loading(struct text *out)
{
    struct persist_loading l;
    int64_t eta_us;

    if (!db_state.loading)
        return;
    l = progress();
    eta_us = persist_loading_eta_us(&l);
    text_addf(
        out, "loading_start_time:%lld\r\nloading_total_bytes:%llu\r\nloading_loaded_bytes:%llu\r\n",
        (long long)loading.start_s, (unsigned long long)loading.size_bytes,
        (unsigned long long)loading.offset);
    /* Redis says 1 as long as it does not know */
    text_addf(out, "loading_loaded_perc:%.2f\r\nloading_eta_seconds:%lld\r\n", percent(&l),
              (long long)(eta_us < 0 ? 1 : eta_us / 1000000));
}

static void
log_progress(void)
{
    struct persist_loading l = progress();
    struct text line = {.at = NULL};

    loading.next_log_us = os_monotonic_us() + LOG_EACH_US;
    persist_loading_text(&line, &l);
    log_line(LOG_NOTICE, "Loading the dump: %s", text_str(&line));
    supervisor_busy(text_str(&line));
    text_free(&line);
}

static void
on_progress(void *ctx, uint64_t offset)
{
    (void)ctx;
    debug_check(offset >= loading.offset && offset <= loading.size_bytes);
    loading.offset = offset;
    if (os_monotonic_us() >= loading.next_log_us)
        log_progress();
    loop_turn_while_loading();
}

static void
on_finding(void *ctx, const struct rdb_finding *f)
{
    (void)ctx;
    log_line(LOG_WARNING, "Loading the dump: at offset %llu%s: %s (key '%s')",
             (unsigned long long)f->offset, f->within, f->text, f->key);
}

static void
on_note(void *ctx, bool is_warning, const char *text)
{
    (void)ctx;
    log_line(is_warning ? LOG_WARNING : LOG_NOTICE, "Loading the dump: %s", text);
}

/* log_findings: how many of each kind, where not all of them stand in the log. */
static void
log_findings(const struct load_state *s)
{
    for (int kind = 0; kind < RDB_FINDINGS; kind++)
        if (s->findings[kind] > LOAD_TOLD)
            log_line(LOG_WARNING,
                     "Loading the dump: %llu %s in all: %s (stillframe-rdb check names each)",
                     (unsigned long long)s->findings[kind], rdb_finding_plural(kind),
                     rdb_finding_remedy(kind));
}

/* describe: one line that says what is wrong with the file, and where. */
static void
describe(struct text *why, int r, const struct load_state *s, const struct rdb_error *err)
{
    if (s->error[0] != '\0') {
        text_addf(why, "%s", s->error);
        return;
    }
    if (err->text[0] != '\0')
        text_addf(why, "at offset %llu%s: %s", (unsigned long long)err->offset, err->within,
                  err->text);
    else
        text_addf(why, "%s", strerror(-r));
    if (err->key[0] != '\0')
        text_addf(why, " (key '%s')", err->key);
}

static int
decode(struct rdb_source *src, struct load_state *s, struct text *why)
{
    struct rdb_error err = {.offset = 0};
    int r;

    must(!db_state.loading); /* a turn within a load executes nothing that loads */
    loading.size_bytes = rdb_source_size(src);
    loading.offset = 0;
    loading.start_us = os_monotonic_us();
    loading.start_s = clock_now.ms / 1000;
    loading.next_log_us = loading.start_us + LOG_EACH_US;
    loading.state = s;
    log_line(LOG_NOTICE, "Loading the dump %s in %s: %llu bytes", config.dbfilename, dump_dir(),
             (unsigned long long)loading.size_bytes);
    s->size_bytes = loading.size_bytes;
    s->on_progress = on_progress;
    s->on_finding = on_finding;
    s->on_note = on_note;
    db_state.loading = true;
    r = rdb_decode(src, load_events(), s, config.rdb_checksum && !db_state.skip_checksum, &err);
    db_state.loading = false;
    if (r != 0)
        describe(why, r, s, &err);
    return r;
}

/* load_file: 0, -ENOENT, or -errno with *why.  The databases may be partly filled after an
 * error. */
static int
load_file(const char *path, bool merge, struct text *why)
{
    struct rdb_source *src;
    struct load_state s;
    int r = rdb_source_file(path, &src);

    if (r < 0) {
        text_addf(why, "%s",
                  r == -ESPIPE ? "it is no file, but a pipe, a socket or a device" : strerror(-r));
        return r;
    }
    text_reserve(why, REASON_BYTES); /* the data may need all that there is */
    load_init(&s);
    s.merge = merge;
    room_lend(true);
    r = decode(src, &s, why);
    room_lend(false);
    persist.load_keys = s.keys_loaded;
    persist.load_expired = s.keys_expired;
    persist.load_empty = s.findings[RDB_FINDING_EMPTY_KEY];
    log_findings(&s);
    load_fini(&s);
    rdb_source_close(src);
    return r;
}

/* restore: what a save that was cut off has set aside. */
static void
restore(void)
{
    int r = os_name() != NULL ? set_aside_restore(config.dbfilename) : 0;

    if (r > 0)
        log_line(
            LOG_WARNING,
            "%s was not there: the last save was cut off when it took its place. The dump from before has its name again.",
            config.dbfilename);
    else if (r < 0)
        log_line(LOG_WARNING, "Can't give the dump from before the last save its name %s: %s",
                 config.dbfilename, strerror(-r));
}

int
persist_load(void)
{
    struct text why = {.at = NULL};
    int r;

    restore();
    r = load_file(config.dbfilename, false, &why);
    libraries_read();
    if (r == -ENOENT) {
        log_line(LOG_NOTICE, "There is no dump %s in %s: the databases are empty",
                 config.dbfilename, dump_dir());
        r = 0;
    } else if (r != 0) {
        log_line(
            LOG_WARNING,
            "Can't load the dump %s in %s: %s. The file is left untouched and the server does not start: %s.",
            config.dbfilename, dump_dir(), text_why(&why),
            r == -ENOMEM ? "its data needs more memory than there is"
                         : "repair or move it (stillframe-rdb check tells more)");
        r = 1;
    } else {
        log_line(
            LOG_NOTICE,
            "Done loading RDB, keys loaded: %llu, keys expired: %llu, empty keys skipped: %llu.",
            (unsigned long long)persist.load_keys, (unsigned long long)persist.load_expired,
            (unsigned long long)persist.load_empty);
        persist_keep_loaded(loading.size_bytes);
        log_line(LOG_NOTICE, "DB loaded from disk: %.3f seconds", seconds_since(loading.start_us));
    }
    text_free(&why);
    must(!persist.running);
    db_state.dirty = persist.flushed = 0;
    return r;
}

int
persist_reload(bool flush, bool merge, struct text *why)
{
    int r;

    for (int i = 0; flush && i < db_count(); i++) {
        key_event_flushed(i);
        (void)db_flush(i);
    }
    if (flush)
        key_event_emptied();
    /* Nobody is served meanwhile: what was there need not be in memory beside what is read. */
    while (flush && db_free_dead(FREE_US))
        ;
    if (flush)
        carried_clear();
    else
        carried_forget_aux(); /* the file's take their place */
    r = load_file(config.dbfilename, merge, why);
    libraries_read(); /* those that are carried now, whatever became of the file */
    if (r != 0)
        log_line(LOG_WARNING, "DEBUG RELOAD: %s: %s", config.dbfilename, text_why(why));
    else
        log_line(LOG_WARNING, "DB reloaded by DEBUG RELOAD");
    return r;
}
