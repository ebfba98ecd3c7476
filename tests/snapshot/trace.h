/* tests/snapshot/trace.h - a decoder's sink that writes down what it is told, one line an event,
 * and a list of bytes to decode.  Long strings are written as "<length:crc64>". */
#ifndef TESTS_SNAPSHOT_TRACE_H
#define TESTS_SNAPSHOT_TRACE_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb_dec.h"

enum { TRACE_LONG_BYTES = 100 };

struct trace {
    char *text; /* [owned] */
    size_t len, capacity;
    bool with_forms;    /* also write how values stand in the file */
    bool with_findings; /* ... and what is wrong with it, with its place and key */
    uint64_t string_len, string_crc, string_seen;
    uint8_t head[TRACE_LONG_BYTES];
    unsigned long events;
    unsigned long fail_at; /* the event, counted from 1, that returns fail_with; 0: none */
    int fail_with;
    size_t longest_piece;
};

static inline int
trace_add(struct trace *t, const char *format, ...)
{
    va_list args;
    int n;

    if (t->capacity - t->len < 4096) {
        t->capacity = 2 * t->capacity + 8192;
        t->text = realloc(t->text, t->capacity);
    }
    va_start(args, format);
    n = vsnprintf(t->text + t->len, t->capacity - t->len, format, args);
    va_end(args);
    t->len += (size_t)n < 4096 ? (size_t)n : 4095;
    t->events++;
    return t->events == t->fail_at ? t->fail_with : 0;
}

static inline const char *
trace_shown(char dst[512], struct slice s)
{
    if (s.len < TRACE_LONG_BYTES)
        printable(dst, 512, s.ptr, s.len);
    else
        snprintf(dst, 512, "<%zu:%016" PRIx64 ">", s.len, crc64(0, s.ptr, s.len));
    return dst;
}

static inline int
trace_start(void *ctx, int version)
{
    return trace_add(ctx, "start %d\n", version);
}

static inline int
trace_aux(void *ctx, struct slice key, struct slice value)
{
    char k[512], v[512];

    return trace_add(ctx, "aux %s=%s\n", trace_shown(k, key), trace_shown(v, value));
}

static inline int
trace_selectdb(void *ctx, uint64_t db)
{
    return trace_add(ctx, "db %" PRIu64 "\n", db);
}

static inline int
trace_resizedb(void *ctx, uint64_t keys, uint64_t expires)
{
    return trace_add(ctx, "size %" PRIu64 " %" PRIu64 "\n", keys, expires);
}

static inline int
trace_function(void *ctx, struct slice code)
{
    char c[512];

    return trace_add(ctx, "function %s\n", trace_shown(c, code));
}

static inline int
trace_finding(void *ctx, const struct rdb_finding *f)
{
    struct trace *t = ctx;

    return t->with_findings
               ? trace_add(t, "at %" PRIu64 "%s %s: %s\n", f->offset, f->within, f->key, f->text)
               : 0;
}

static inline int
trace_key(void *ctx, const struct rdb_key *k)
{
    char name[512], more[128] = "";
    struct trace *t = ctx;
    size_t at = 0;

    if (k->expire_at_ms != -1)
        at += (size_t)snprintf(more + at, sizeof more - at, " expires %" PRId64, k->expire_at_ms);
    if (k->idle_s != -1)
        at += (size_t)snprintf(more + at, sizeof more - at, " idle %" PRId64, k->idle_s);
    if (k->freq != -1)
        snprintf(more + at, sizeof more - at, " freq %d", k->freq);
    t->string_len = UINT64_MAX; /* until it is seen to be a string */
    return trace_add(t, "key %" PRIu64 " %s type %d%s\n", k->db, trace_shown(name, k->name),
                     k->type, more);
}

static inline int
trace_form(void *ctx, enum rdb_form form)
{
    static const char *const names[] = {"int", "plain", "lzf"};
    struct trace *t = ctx;

    return t->with_forms ? trace_add(t, "form %s\n", names[form]) : 0;
}

static inline int
trace_string_begin(void *ctx, uint64_t len)
{
    struct trace *t = ctx;

    t->string_len = len;
    t->string_crc = t->string_seen = 0;
    return 0;
}

static inline int
trace_string_bytes(void *ctx, struct slice piece)
{
    struct trace *t = ctx;

    if (t->string_seen + piece.len < TRACE_LONG_BYTES)
        memcpy(t->head + t->string_seen, piece.ptr, piece.len);
    t->string_crc = crc64(t->string_crc, piece.ptr, piece.len);
    t->string_seen += piece.len;
    if (piece.len > t->longest_piece)
        t->longest_piece = piece.len;
    return 0;
}

static inline int
trace_hash_listpack(void *ctx, struct slice lp, uint32_t fields)
{
    char scratch[LP_INT_TEXT_BYTES], text[512];
    struct trace *t = ctx;
    int r = trace_add(t, "listpack %u", fields);

    for (uint32_t at = lp_first(slice_bytes(lp)); at != 0; at = lp_next(slice_bytes(lp), at)) {
        trace_add(t, " %s", trace_shown(text, lp_slice(slice_bytes(lp), at, scratch)));
        t->events--;
    }
    trace_add(t, "\n");
    t->events--;
    t->string_len = UINT64_MAX;
    return r;
}

static inline int
trace_hash_begin(void *ctx, uint64_t fields)
{
    struct trace *t = ctx;

    t->string_len = UINT64_MAX;
    return trace_add(t, "hash %" PRIu64 "\n", fields);
}

static inline int
trace_hash_field(void *ctx, struct slice field, struct slice value)
{
    char f[512], v[512];

    return trace_add(ctx, "field %s=%s\n", trace_shown(f, field), trace_shown(v, value));
}

static inline int
trace_list_begin(void *ctx)
{
    struct trace *t = ctx;

    t->string_len = UINT64_MAX;
    return trace_add(t, "list\n");
}

static inline int
trace_list_element(void *ctx, struct slice element)
{
    char e[512];

    return trace_add(ctx, "element %s\n", trace_shown(e, element));
}

static inline int
trace_list_end(void *ctx)
{
    return trace_add(ctx, "list end\n");
}

static inline int
trace_value_end(void *ctx)
{
    struct trace *t = ctx;
    char text[512];

    if (t->string_len == UINT64_MAX)
        return 0;
    if (t->string_seen != t->string_len)
        return trace_add(t, "string of %" PRIu64 " has %" PRIu64 "\n", t->string_len,
                         t->string_seen);
    if (t->string_len < TRACE_LONG_BYTES)
        return trace_add(t, "string %s\n",
                         trace_shown(text, slice_of(t->head, (size_t)t->string_len)));
    return trace_add(t, "string <%" PRIu64 ":%016" PRIx64 ">\n", t->string_len, t->string_crc);
}

/* trace_plain_string: as if its parts had come one by one. */
static inline int
trace_plain_string(void *ctx, const struct rdb_key *k, struct slice value)
{
    int r;

    if ((r = trace_key(ctx, k)) != 0 || (r = trace_string_begin(ctx, value.len)) != 0 ||
        (r = trace_string_bytes(ctx, value)) != 0)
        return r;
    return trace_value_end(ctx);
}

static inline int
trace_end(void *ctx, enum rdb_crc crc)
{
    static const char *const names[] = {"none", "zero", "unchecked", "good", "frame"};

    return trace_add(ctx, "end %s\n", names[crc]);
}

static const struct rdb_events trace_events = {
    .start = trace_start,
    .aux = trace_aux,
    .selectdb = trace_selectdb,
    .resizedb = trace_resizedb,
    .function = trace_function,
    .finding = trace_finding,
    .key = trace_key,
    .form = trace_form,
    .string_begin = trace_string_begin,
    .string_bytes = trace_string_bytes,
    .list_begin = trace_list_begin,
    .list_element = trace_list_element,
    .list_listpack = trace_hash_listpack,
    .list_end = trace_list_end,
    .hash_listpack = trace_hash_listpack,
    .hash_begin = trace_hash_begin,
    .hash_field = trace_hash_field,
    .value_end = trace_value_end,
    .end = trace_end,
};

static inline void
trace_fini(struct trace *t)
{
    free(t->text);
    *t = (struct trace){0};
}

/* trace_memory: decode bytes in memory; what rdb_decode() returned.
 * trace_memory_plain: by a sink that takes plain strings at once. */
static inline int
trace_memory_by(const struct rdb_events *events, struct trace *t, const void *bytes, size_t len,
                bool check_crc, struct rdb_error *err)
{
    struct rdb_source *src;
    int r = rdb_source_memory(bytes, len, &src);

    *err = (struct rdb_error){0};
    if (r < 0)
        return r;
    trace_add(t, "%s", "");
    t->events = 0;
    r = rdb_decode(src, events, t, check_crc, err);
    rdb_source_close(src);
    return r;
}

static inline int
trace_memory(struct trace *t, const void *bytes, size_t len, bool check_crc, struct rdb_error *err)
{
    return trace_memory_by(&trace_events, t, bytes, len, check_crc, err);
}

static inline int
trace_memory_plain(struct trace *t, const void *bytes, size_t len, bool check_crc,
                   struct rdb_error *err)
{
    struct rdb_events events = trace_events;

    events.plain_string = trace_plain_string;
    return trace_memory_by(&events, t, bytes, len, check_crc, err);
}

#endif
