/* server/data/db/dump.c - the payloads of DUMP and FUNCTION DUMP: written by the encoder of
 * snapshots, read by the decoder of dumps. */
#include "server/data/db/dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "mm/base/log.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/data/db/save_value.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_enc.h"
#include "snapshot/rdb/sink.h"

enum { DUMP_VERSION = 10, DUMP_VERSION_MAX = 12, TRAILER_BYTES = 10 };

bool dump_compresses = true;

/* version_for: the lowest that can hold the value, so that as many servers as may be read it. */
static int
version_for(const struct record *r)
{
    int least = type_of(record_type(r))->rdb_version_least;

    return least > DUMP_VERSION ? least : DUMP_VERSION;
}

/* ---- writing ---- */

/* save_live: the record's value as it is now.  poll: as in struct view, or NULL.  0 or -errno */
static int
save_live(struct rdb_enc *e, const struct record *r, int (*poll)(void *ctx), void *ctx)
{
    struct save_item s = {.rec = r, .live = (const char *)r, .bytes = mm_usable(r)};
    struct save_work *w = malloc(sizeof *w);
    struct view view;
    int result;

    if (w == NULL)
        return -ENOMEM;
    view_init_live(&view);
    view.poll = poll;
    view.poll_ctx = ctx;
    w->view = &view;
    w->enc = e;
    w->lost = 0;
    result = save_value(w, &s);
    free(w);
    return result;
}

uint64_t
dump_bytes(const struct record *r)
{
    struct rdb_enc e;
    struct sink *out;
    uint64_t n = 0;

    if (sink_memory_open(&out) < 0)
        return 0;
    if (rdb_enc_init(&e, out, version_for(r), dump_compresses) == 0) {
        if (save_live(&e, r, NULL, NULL) == 0 && sink_error(out) == 0)
            n = out->put_bytes + out->fill;
        rdb_enc_fini(&e);
    }
    sink_close(out);
    return n;
}

static void
put_trailer(struct sink *out, int version)
{
    uint8_t bytes[TRAILER_BYTES] = {(uint8_t)version, (uint8_t)(version >> 8)};

    sink_put(out, bytes, 2);
    le_store(bytes + 2, sink_crc(out), 8);
    sink_put(out, bytes + 2, 8);
}

int
dump_encode(struct sink *out, const struct record *r, int (*poll)(void *ctx), void *ctx)
{
    int result, version = version_for(r);
    struct rdb_enc e;

    out->with_crc = true;
    if ((result = rdb_enc_init(&e, out, version, dump_compresses)) < 0)
        return result;
    rdb_put_byte(&e, save_rdb_type(r, version));
    result = save_live(&e, r, poll, ctx);
    rdb_enc_fini(&e);
    put_trailer(out, version);
    return result == 0 ? sink_commit(out) : result;
}

int
dump_value(const struct record *r, uint8_t **ret, size_t *ret_len)
{
    struct sink *out;
    int result;

    if ((result = sink_memory_open(&out)) < 0)
        return result;
    result = dump_encode(out, r, NULL, NULL);
    if (result == 0 && (*ret = sink_memory_take(out, ret_len)) == NULL)
        result = -ENOMEM;
    sink_close(out);
    return result;
}

int
dump_libraries(uint8_t **ret, size_t *ret_len)
{
    struct rdb_enc e;
    struct sink *out;
    int result;

    if ((result = sink_memory_open(&out)) < 0)
        return result;
    out->with_crc = true;
    if ((result = rdb_enc_init(&e, out, DUMP_VERSION, dump_compresses)) == 0) {
        carried_save_libraries(&e);
        rdb_enc_fini(&e);
        put_trailer(out, DUMP_VERSION);
        result = sink_commit(out);
    }
    if (result == 0 && (*ret = sink_memory_take(out, ret_len)) == NULL)
        result = -ENOMEM;
    sink_close(out);
    return result;
}

/* ---- reading ---- */

static const uint8_t *
trailer_of(struct slice payload)
{
    return slice_bytes(payload) + payload.len - TRAILER_BYTES;
}

static int
version_of(struct slice payload)
{
    const uint8_t *trailer = trailer_of(payload);

    return trailer[0] | trailer[1] << 8;
}

bool
dump_check(struct slice payload)
{
    const uint8_t *trailer;
    uint64_t crc = 0;

    if (payload.len < TRAILER_BYTES)
        return false;
    trailer = trailer_of(payload);
    for (int i = 7; i >= 0; i--)
        crc = crc << 8 | trailer[2 + i];
    return (version_of(payload) <= DUMP_VERSION_MAX || load_any_version) &&
           (db_state.skip_checksum || crc64(0, payload.ptr, payload.len - 8) == crc);
}

static void
on_finding(void *ctx, const struct rdb_finding *f)
{
    (void)ctx;
    log_line(LOG_WARNING, "RESTORE: %s (key '%s')", f->text, f->key);
}

int
dump_parse(struct slice payload, struct slice key, struct load_state *state, struct value *ret)
{
    struct rdb_source *source;
    struct rdb_error error;
    int r;

    load_init(state);
    state->capture = ret;
    state->size_bytes = payload.len;
    state->on_finding = on_finding;
    if (rdb_source_memory(payload.ptr, payload.len - TRAILER_BYTES, &source) < 0)
        return -ENOMEM;
    r = rdb_decode_value(source, version_of(payload), key, load_events(), state, &error);
    rdb_source_close(source);
    if (r == 0 && !state->captured)
        return -EINVAL;
    if (r < 0 && state->captured && ret->enc != ENC_INLINE)
        value_free(ret);
    return r == 0 || r == -ENOMEM || r == -ENOTSUP ? r : -EINVAL;
}

/* ---- libraries ---- */

/* An end mark, and the checksum that stands behind it in a file. */
enum { END_BYTES = 9 };

struct library_reader {
    const uint8_t *bytes;
    size_t len; /* without what stands at the end */
    bool (*fn)(void *ctx, struct slice code);
    void *ctx;
    bool is_other; /* something that is no library */
};

static int
on_item(void *ctx, uint64_t offset)
{
    struct library_reader *reader = ctx;

    reader->is_other = offset < reader->len && reader->bytes[offset] != RDB_OP_FUNCTION2;
    return reader->is_other ? -EINVAL : 0;
}

static int
on_library(void *ctx, struct slice code)
{
    const struct library_reader *reader = ctx;

    return reader->fn(reader->ctx, code) ? 0 : -ECANCELED;
}

static int
read_libraries(struct library_reader *reader, int version, struct rdb_error *err)
{
    static const struct rdb_events events = {.item = on_item, .function = on_library};
    const struct rdb_place place = {.version = version};
    struct rdb_source *source;
    int r;

    if (rdb_source_memory(reader->bytes, reader->len + END_BYTES, &source) < 0)
        return -ENOMEM;
    r = rdb_decode_items(source, &place, &events, reader, err);
    rdb_source_close(source);
    return reader->is_other ? -ENOTSUP : r;
}

int
dump_read_libraries(struct slice payload, bool (*fn)(void *ctx, struct slice code), void *ctx,
                    struct rdb_error *err)
{
    struct library_reader reader = {.len = payload.len - TRAILER_BYTES, .fn = fn, .ctx = ctx};
    uint8_t *bytes = calloc(1, reader.len + END_BYTES);
    int r;

    if (bytes == NULL)
        return -ENOMEM;
    memcpy(bytes, payload.ptr, reader.len);
    bytes[reader.len] = RDB_OP_EOF;
    reader.bytes = bytes;
    r = read_libraries(&reader, version_of(payload), err);
    free(bytes);
    return r;
}
