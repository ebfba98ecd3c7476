/* tool/convert/copy.c - each key on its way: left out, copied as it stands, or written anew; and
 * into which file. */
#include "tool/convert/copy.h"

#include <errno.h>

#include "tool/convert/head.h"

static int
on_start(void *ctx, int version)
{
    struct convert *c = ctx;

    if (c->version == 0)
        c->version = target_nearest(version);
    c->output.o.version = c->version;
    c->from = version;
    return 0;
}

static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct convert *c = ctx;

    if (c->findings++ < FINDINGS_TOLD)
        tool_warn(&c->walk.run, f->offset, f->within, f->text, f->key);
    return 0;
}

/* on_unknown: comes only if it was allowed. */
static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct convert *c = ctx;

    (void)key;
    (void)what;
    c->losses[LOSS_UNKNOWN]++;
    return 0;
}

static int
on_form(void *ctx, enum rdb_form form)
{
    struct convert *c = ctx;

    c->has_lzf = c->has_lzf || form == RDB_FORM_LZF;
    return 0;
}

/* write_failed: the end; what is wrong is told of the output. */
static int
write_failed(struct convert *c)
{
    c->walk.run.is_told_later = true;
    return -EIO;
}

/* ---- which file ---- */

/* next_size_part: the one in hand is large enough. */
static int
next_size_part(struct convert *c)
{
    if (output_finish(&c->output, c->part) < 0)
        return -1;
    c->part = NULL;
    c->size_part++;
    return 0;
}

/* begin_parts: those that are there without a key, too. */
static int
begin_parts(struct convert *c)
{
    uint64_t parts = c->plan->split == SPLIT_SLOT ? c->plan->split_by
                     : c->plan->split == SPLIT_DB ? 0
                                                  : 1;

    for (uint64_t i = 0; i < parts; i++)
        if (output_part(&c->output, i) == NULL)
            return -1;
    return 0;
}

/* choose_part: for the key in hand.  0 or -1. */
static int
choose_part(struct convert *c)
{
    uint64_t number = 0;

    switch (c->plan->split) {
    case SPLIT_NOT:
        break;
    case SPLIT_SLOT:
        if (c->part == NULL && begin_parts(c) < 0) /* in the order of their numbers */
            return -1;
        number = plan_slot_part(c->plan, plan_slot(c->key.name));
        break;
    case SPLIT_DB:
        number = c->key.db;
        break;
    case SPLIT_SIZE:
        if (c->part != NULL && output_bytes(c->part) >= c->plan->split_by && next_size_part(c) < 0)
            return -1;
        number = c->size_part;
    }
    if (c->part == NULL || c->part->number != number)
        c->part = output_part(&c->output, number);
    return c->part == NULL ? -1 : 0;
}

/* ---- keys ---- */

/* take: is the key written?  *ret: if not, what ends the decoding, or 0. */
static bool
take(struct convert *c, const struct rdb_key *key, int *ret)
{
    struct merge_place at = {c->file, c->ordinal++};
    bool takes = true;

    *ret = 0;
    c->is_past_head = true;
    if (c->files > 1 && (*ret = merge_takes(&c->merge, at, &takes)) < 0)
        return false;
    if (!takes)
        return false;
    c->key = *key;
    if (c->plan->maps > 0)
        c->key.db = plan_db(c->plan, key->db);
    if (c->version < TARGET_STREAMS_FROM) {
        if (key->kind == RDB_VALUE_STREAM) {
            *ret = recode_lose(c, LOSS_STREAM, "it is a stream");
            return false;
        }
        c->losses[LOSS_IDLE] += key->idle_s >= 0;
        c->losses[LOSS_FREQ] += key->freq >= 0;
    }
    if (choose_part(c) == 0)
        return true;
    *ret = write_failed(c);
    return false;
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct convert *c = ctx;
    int r;

    c->is_left_out = !take(c, key, &r);
    if (c->is_left_out)
        return r == 0 ? RDB_SKIP_VALUE : r;
    recode_key(c);
    c->is_raw = c->plan->compress == COMPRESS_KEEP && target_knows(c->version, c->from, key->type);
    if (c->is_raw)
        recode_head(c, key->type);
    return 0;
}

static int
on_raw(void *ctx, struct slice piece)
{
    struct convert *c = ctx;

    if (c->is_raw)
        sink_put(&c->part->writer.sink, piece.ptr, piece.len);
    return 0;
}

static int
on_value_end(void *ctx)
{
    struct convert *c = ctx;
    int r;

    if (c->is_left_out)
        return 0;
    if (!c->is_raw && (r = recode_end(c)) != 0)
        return r;
    return output_failed(&c->output, c->part) ? write_failed(c) : 0;
}

static int
on_plain_string(void *ctx, const struct rdb_key *key, struct slice value)
{
    struct convert *c = ctx;
    int r;

    if (!take(c, key, &r))
        return r;
    recode_key(c);
    recode_head(c, RDB_TYPE_STRING);
    if (c->plan->compress == COMPRESS_LZF) {
        rdb_put_string(&c->enc, value.ptr, value.len);
    } else {
        rdb_put_len(&c->enc, value.len);
        sink_put(c->enc.out, value.ptr, value.len);
    }
    return output_failed(&c->output, c->part) ? write_failed(c) : 0;
}

/* on_resizedb: how many keys come is still right if they all go into one file. */
static int
on_resizedb(void *ctx, uint64_t keys, uint64_t expires)
{
    struct convert *c = ctx;

    if (!c->is_whole || c->version < TARGET_AUX_FROM)
        return 0;
    if ((c->part = output_part(&c->output, 0)) == NULL)
        return write_failed(c);
    c->enc.out = &c->part->writer.sink;
    if (c->part->db != c->db)
        rdb_put_selectdb(&c->enc, c->part->db = c->db);
    rdb_put_resizedb(&c->enc, keys, expires);
    return 0;
}

static int
on_selectdb(void *ctx, uint64_t db)
{
    ((struct convert *)ctx)->db = db;
    return 0;
}

/* Whatever a file has is copied: nobody has to look into its values.  Fields may expire. */
static const struct walk_events raw_events = {
    .rdb = {.no_values = true,
            .hash_field_expiring = recode_hash_field_expiring,
            .start = on_start,
            .aux = head_aux,
            .function = head_function,
            .selectdb = on_selectdb,
            .resizedb = on_resizedb,
            .finding = on_finding,
            .unknown = on_unknown,
            .form = on_form,
            .key = on_key,
            .raw = on_raw,
            .plain_string = on_plain_string,
            .value_end = on_value_end}};

#define COPY_EVENTS                                                                                \
    .start = on_start, .aux = head_aux, .function = head_function, .selectdb = on_selectdb,        \
    .resizedb = on_resizedb, .finding = on_finding, .unknown = on_unknown, .form = on_form,        \
    .key = on_key, .plain_string = on_plain_string, .value_end = on_value_end,                     \
    .string_begin = recode_string_begin, .string_bytes = recode_string_bytes,                      \
    .list_begin = recode_list_begin, .list_element = recode_list_element,                          \
    .list_listpack = recode_list_listpack, .list_end = recode_list_end,                            \
    .hash_listpack = recode_hash_listpack, .hash_begin = recode_hash_begin,                        \
    .hash_field = recode_hash_field, .hash_field_expiring = recode_hash_field_expiring,            \
    .set_intset = recode_set_intset, .set_listpack = recode_set_listpack,                          \
    .set_begin = recode_set_begin, .set_member = recode_set_member,                                \
    .zset_listpack = recode_zset_listpack, .zset_begin = recode_zset_begin,                        \
    .zset_member = recode_zset_member, .stream_begin = recode_stream_begin,                        \
    .stream_node = recode_stream_node, .stream_facts = recode_stream_facts,                        \
    .stream_group = recode_stream_group, .stream_consumer = recode_stream_consumer,                \
    .stream_pending = recode_stream_pending

/* Some are copied, some written anew. */
static const struct walk_events mixed_events = {.rdb = {.raw = on_raw, COPY_EVENTS}};
/* All are written anew. */
static const struct walk_events recode_events = {.rdb = {COPY_EVENTS}};

const struct walk_events *
copy_events(const struct convert *c)
{
    if (c->plan->compress != COMPRESS_KEEP)
        return &recode_events;
    return c->holds_all ? &raw_events : &mixed_events;
}

int
copy_end(struct convert *c)
{
    return begin_parts(c);
}
