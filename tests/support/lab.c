/* tests/support/lab.c - see lab.h. */
#include "tests/support/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/crc64.h"
#include "mm/base/keyhash.h"
#include "mm/compact.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/db_move.h"
#include "server/data/db/draw.h"
#include "server/data/db/save.h"
#include "server/exec/auth.h"
#include "server/exec/exec.h"
#include "server/limits.h"
#include "server/memory/evict.h"
#include "server/modules.h"
#include "server/net/client.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "tests/support/lab_impl.h"
#include "tests/support/words.h"

static struct client *client;
static struct save_cut *cut;
static struct mm_sweep sweep;
struct mm_sweep_area lab_area;
static epoch_t epoch;
static uint64_t keys_at_cut;
static int version_at_cut;

void
lab_open(void)
{
    static bool have_arena;

    if (!have_arena)
        must(mm_init(&(struct mm_options){.arena_bytes = (size_t)1 << 30}) == 0);
    have_arena = true;
    modules_init();
    must(config_init() == 0);
    auth_init();
    config.enable_debug_command = PERMIT_YES;
    clock_now.ms = 1800000000000; /* one moment for the whole test */
    clock_now.us = clock_now.ms * 1000;
    limits_init();
    must(db_init(16) == 0);
    evict_init();
    draw_seed(1); /* SPOP takes the same members each time */
    keyhash_seed = 1;
    client = client_new_detached();
    must(client != NULL);
    client->db = db_select(0);
}

void
lab_close(void)
{
    mm_compact_end();
    db_move_rewind();
    lab_move_sizes(0, SIZE_MAX);
    client_free(client);
    db_fini();
    config_fini();
    mm_clear(); /* the mappings stay for the next lab_open() */
}

static size_t move_least, move_most = SIZE_MAX;

void
lab_move_sizes(size_t least, size_t most)
{
    move_least = least;
    move_most = most;
}

bool
lab_move(int64_t work, bool may_stray)
{
    bool more;

    if (!mm_compact_is_open()) {
        while (db_work(1000))
            ;
        mm_compact_begin_all(move_least, move_most);
        db_move_rewind();
    }
    more = db_move(work);
    if (!more) {
        bool some_stay = mm_compact_leave(0);

        must(may_stray || !some_stay);
        mm_compact_end();
    }
    return more;
}

/* run_moving: "moving" or "moving 16 32". */
static bool
run_moving(const char *line, size_t len)
{
    char *end;
    size_t least = len > 6 ? strtoul(line + 6, &end, 10) : 0;

    lab_move_sizes(least, len > 6 ? strtoul(end, NULL, 10) : SIZE_MAX);
    while (lab_move(100, true))
        ;
    return true;
}

static bool
run_one(const char *line, size_t len)
{
    struct words w;
    bool ok;

    if (len > 5 && memcmp(line, "pass ", 5) == 0) {
        clock_now.ms += strtol(line + 5, NULL, 10);
        clock_now.us = clock_now.ms * 1000;
        return true;
    }
    if (len >= 6 && memcmp(line, "moving", 6) == 0)
        return run_moving(line, len);
    words_split(&w, line, len);
    if (w.argc == 0)
        return true;
    client->out_len = client->out_sent = 0;
    exec_words(client, w.argc, w.argv);
    ok = client->out_len > 0 && client->out[0] != '-';
    if (!ok)
        fprintf(stderr, "lab: %.*s -> %.*s\n", (int)len, line, (int)client->out_len, client->out);
    words_free(&w);
    return ok;
}

static bool
run_all(const char *commands)
{
    bool ok = true;

    while (*commands != '\0') {
        size_t len = strcspn(commands, ";");

        ok = run_one(commands, len) && ok;
        commands += len + (commands[len] == ';');
    }
    return ok;
}

void
lab_run(const char *commands)
{
    must(run_all(commands));
}

void
lab_try(const char *commands)
{
    (void)run_all(commands);
}

const char *
lab_reply(const char *command)
{
    static char reply[4096];

    (void)run_one(command, strlen(command));
    snprintf(reply, sizeof reply, "%.*s", (int)client->out_len, client->out);
    return reply;
}

void
lab_cut(void)
{
    cut = save_cut_new();
    must(cut != NULL);
    keys_at_cut = db_total_keys();
    version_at_cut = save_version(RDB_VERSION_DEFAULT);
    must(mm_cut_begin(&epoch) == 0);
    mm_sweep_init(&sweep);
    mm_sweep_area_init(&lab_area);
}

void
lab_end(void)
{
    mm_cut_end();
    while (mm_settle(3))
        ;
    must(mm_cut_is_ready());
    save_cut_free(cut);
    cut = NULL;
}

/* ---- the digest of a dump ---- */

uint64_t
lab_mix(uint64_t h, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3ULL;
    return h ^ h >> 31;
}

uint64_t
lab_mix_int(uint64_t h, uint64_t v)
{
    return lab_mix(h, &v, sizeof v);
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct digest_state *s = ctx;

    s->key =
        lab_mix(lab_mix_int(lab_mix_int(14695981039346656037ULL, k->db), (uint64_t)k->expire_at_ms),
                k->name.ptr, k->name.len);
    s->key = lab_mix_int(s->key, k->kind);
    s->value = 0;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct digest_state *s = ctx;

    /* the same however the string is cut into pieces */
    s->value = crc64(s->value, piece.ptr, piece.len);
    return 0;
}

static int
on_hash_field(void *ctx, struct slice f, struct slice v)
{
    struct digest_state *s = ctx;

    s->value += lab_mix(lab_mix_int(lab_mix(7, f.ptr, f.len), f.len), v.ptr, v.len);
    return 0;
}

static int
on_hash_field_expiring(void *ctx, struct slice f, struct slice v, int64_t expire_at_ms)
{
    struct digest_state *s = ctx;

    s->value += lab_mix_int(lab_mix(lab_mix_int(lab_mix(7, f.ptr, f.len), f.len), v.ptr, v.len),
                            (uint64_t)expire_at_ms);
    return 0;
}

static int
on_hash_listpack(void *ctx, struct slice listpack, uint32_t fields)
{
    char a[LP_INT_TEXT_BYTES], b[LP_INT_TEXT_BYTES];
    const uint8_t *lp = slice_bytes(listpack);
    uint32_t at = lp_first(lp);

    for (uint32_t i = 0; i < fields; i++) {
        struct slice field = lp_slice(lp, at, a), value;

        at = lp_next(lp, at);
        value = lp_slice(lp, at, b);
        at = lp_next(lp, at);
        on_hash_field(ctx, field, value);
    }
    return 0;
}

static int
on_value_end(void *ctx)
{
    struct digest_state *s = ctx;

    s->d.sum += lab_mix_int(s->key, s->value);
    s->d.keys++;
    return 0;
}

/* A dump of our own has nothing in it to be mended: what is taken anew from the data was not of the
 * cut. */
static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    (void)ctx;
    fprintf(stderr, "lab: dump: %s\n", f->text);
    return -EBADMSG;
}

static const struct rdb_events digest_events = {.key = on_key,
                                                .finding = on_finding,
                                                .list_begin = lab_list_begin,
                                                .list_element = lab_list_element,
                                                .list_listpack = lab_list_listpack,
                                                .string_bytes = on_string_bytes,
                                                .hash_field = on_hash_field,
                                                .hash_field_expiring = on_hash_field_expiring,
                                                .hash_listpack = on_hash_listpack,
                                                .set_intset = lab_set_intset,
                                                .set_listpack = lab_set_listpack,
                                                .set_member = lab_set_member,
                                                .zset_listpack = lab_zset_listpack,
                                                .zset_member = lab_zset_member,
                                                .stream_node = lab_stream_node,
                                                .stream_facts = lab_stream_facts,
                                                .stream_group = lab_stream_group,
                                                .stream_consumer = lab_stream_consumer,
                                                .stream_pending = lab_stream_pending,
                                                .value_end = on_value_end};

static struct lab_digest
digest_source(struct rdb_source *src)
{
    struct digest_state s = {.value = 0};
    struct rdb_error err = {.offset = 0};

    s.d.error = rdb_decode(src, &digest_events, &s, true, &err);
    if (s.d.error != 0)
        fprintf(stderr, "lab: dump: at %llu: %s\n", (unsigned long long)err.offset, err.text);
    rdb_source_close(src);
    return s.d;
}

static struct lab_digest
digest_dump(const uint8_t *bytes, size_t len)
{
    struct rdb_source *src;

    must(rdb_source_memory(bytes, len, &src) == 0);
    return digest_source(src);
}

struct lab_digest
lab_file(const char *path)
{
    struct rdb_source *src;
    int r = rdb_source_file(path, &src);

    return r < 0 ? (struct lab_digest){.error = r} : digest_source(src);
}

/* sweep_to_memory: area: NULL: the whole, by one sweeper; else a part.  Each has a whole dump of
 * its own. */
static struct lab_digest
sweep_to_memory(struct mm_sweep *stretch, struct mm_sweep_area *area, const _Atomic bool *cancel,
                void (*between)(void *), void *ctx)
{
    uint8_t *staging = malloc(VIEW_CHUNK_BYTES);
    struct snapshot_request rq = {.ops = &save_snapshot_ops,
                                  .cut = cut,
                                  .rdb_version = version_at_cut,
                                  .keys_total = keys_at_cut};
    struct sweep_progress progress = {0};
    struct lab_digest d = {0};
    void *worker = rq.ops->worker_new(cut);
    struct rdb_enc enc;
    struct view view;
    struct sink *out;
    uint8_t *dump;
    size_t len;

    must(worker != NULL && staging != NULL && sink_memory_open(&out) == 0);
    must(rdb_enc_init(&enc, out, version_at_cut, false) == 0);
    view_init(&view, stretch->epoch);
    view.cancel = cancel;
    d.error = sweep_run(&(struct sweep_options){.rq = &rq,
                                                .sweep = stretch,
                                                .area = area,
                                                .view = &view,
                                                .enc = &enc,
                                                .staging = staging,
                                                .is_first = true,
                                                .worker = worker,
                                                .progress = &progress,
                                                .between = between,
                                                .between_ctx = ctx});
    rq.ops->worker_free(worker);
    if (d.error == 0 && area == NULL)
        d.error = sweep_check(&rq, &progress);
    if (d.error == 0) {
        rdb_put_eof(&enc);
        must(sink_flush(out) == 0);
        dump = sink_memory_take(out, &len);
        d = digest_dump(dump, len);
        free(dump);
    }
    rdb_enc_fini(&enc);
    sink_close(out);
    free(staging);
    return d;
}

struct lab_digest
lab_sweep_with(const _Atomic bool *cancel, void (*between)(void *), void *ctx)
{
    return sweep_to_memory(&sweep, NULL, cancel, between, ctx);
}

struct lab_digest
lab_sweep_part(const _Atomic bool *cancel, void (*between)(void *), void *ctx)
{
    struct mm_sweep stretch = {.epoch = lab_area.epoch};

    return sweep_to_memory(&stretch, &lab_area, cancel, between, ctx);
}

struct lab_digest
lab_sweep(void)
{
    return lab_sweep_with(NULL, NULL, NULL);
}

struct lab_digest
lab_quiet(void)
{
    struct lab_digest d;

    lab_cut();
    d = lab_sweep();
    lab_end();
    must(d.error == 0);
    return d;
}
