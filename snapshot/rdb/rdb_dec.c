/* snapshot/rdb/rdb_dec.c - reading RDB: magic, opcodes, keys, trailer.  The contract is in
 * rdb_dec.h, the format in docs/rdb.md. */
#include "snapshot/rdb/rdb_dec.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/printable.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec_impl.h"

/* count_carried: one more of what others have to keep. */
static int
count_carried(struct dec *d, uint64_t offset)
{
    if (d->carried++ < RDB_CARRIED_MOST)
        return 0;
    return dec_fail(d, offset, -EINVAL, "more than %d function libraries and AUX fields",
                    RDB_CARRIED_MOST);
}

static int
read_aux(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src) - 1;
    const struct rdb_aux *aux;
    char name[64];
    int r;

    d->what = "an AUX field";
    if ((r = dec_string_whole(d, &d->field)) != 0 || (r = dec_string_whole(d, &d->value)) != 0)
        return r;
    aux = rdb_aux_of(bytes_slice(&d->field));
    printable(name, sizeof name, d->field.at, d->field.len);
    if (aux->fate == RDB_AUX_REFUSED && d->ev->skip_unknown)
        return dec_unknown(d, false, "the AUX field %s (%s)", name, aux->about);
    if (aux->fate == RDB_AUX_REFUSED)
        return dec_fail(d, offset, -ENOTSUP, "the AUX field %s (%s) is not read", name, aux->about);
    if (aux->fate == RDB_AUX_CARRIED && d->has_seen_key)
        return dec_find(d, offset, RDB_FINDING_LATE_AUX, "the AUX field %s among the keys", name);
    if (aux->fate == RDB_AUX_CARRIED && (r = count_carried(d, offset)) != 0)
        return r;
    if (d->ev->aux == NULL)
        return 0;
    return dec_sink(d, d->ev->aux(d->ctx, bytes_slice(&d->field), bytes_slice(&d->value)));
}

static int
read_selectdb(struct dec *d)
{
    int r;

    d->what = "a database's number";
    if ((r = dec_len(d, &d->key.db)) != 0)
        return r;
    return d->ev->selectdb != NULL ? dec_sink(d, d->ev->selectdb(d->ctx, d->key.db)) : 0;
}

static int
read_resizedb(struct dec *d)
{
    uint64_t keys = 0, expires = 0;
    int r;

    d->what = "a database's size";
    if ((r = dec_len(d, &keys)) != 0 || (r = dec_len(d, &expires)) != 0)
        return r;
    return d->ev->resizedb != NULL ? dec_sink(d, d->ev->resizedb(d->ctx, keys, expires)) : 0;
}

/* read_slot_info: how many keys of a cluster's slot follow; of no use to anybody here. */
static int
read_slot_info(struct dec *d)
{
    uint64_t ignored;
    int r = 0;

    d->what = "a slot's size";
    for (int i = 0; i < 3 && r == 0; i++)
        r = dec_len(d, &ignored);
    return r;
}

static int
read_function(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src) - 1;
    struct slice name;
    char shown[64];
    int r;

    d->what = "a function library";
    if ((r = count_carried(d, offset)) != 0 || (r = dec_string_whole(d, &d->value)) != 0)
        return r;
    name = rdb_library_name(bytes_slice(&d->value));
    r = name.len == 0 ? 1 : field_set_add(&d->libraries, name.ptr, name.len);
    if (r < 0)
        return dec_fail(d, offset, r, "no memory to compare the names of function libraries");
    printable(shown, sizeof shown, name.ptr, name.len);
    if (r == 0)
        return dec_fail(d, offset, -EINVAL, "there are two function libraries \"%s\"", shown);
    return d->ev->function != NULL ? dec_sink(d, d->ev->function(d->ctx, bytes_slice(&d->value)))
                                   : 0;
}

static int
read_expire_ms(struct dec *d)
{
    uint64_t ms = 0;
    int r;

    d->what = "a key's expiry";
    r = dec_le(d, 8, &ms);
    d->key.expire_at_ms = (int64_t)ms;
    return r;
}

static int
read_expire_s(struct dec *d)
{
    uint64_t s = 0;
    int r;

    d->what = "a key's expiry";
    r = dec_le(d, 4, &s);
    d->key.expire_at_ms = (int64_t)(int32_t)(uint32_t)s * 1000;
    return r;
}

static int
read_idle(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src), idle = 0;
    int r;

    d->what = "a key's idle time";
    if ((r = dec_len(d, &idle)) != 0)
        return r;
    d->key.idle_s = idle > INT64_MAX ? INT64_MAX : (int64_t)idle;
    if (idle <= INT64_MAX)
        return 0;
    return dec_find(d, offset, RDB_FINDING_IDLE, "a key idle for %llu seconds",
                    (unsigned long long)idle);
}

static int
read_freq(struct dec *d)
{
    uint8_t freq = 0;
    int r;

    d->what = "a key's access frequency";
    r = dec_byte(d, &freq);
    d->key.freq = freq;
    return r;
}

/* What may follow the magic beside keys and the end; an opcode with a name that is not here is
 * refused by it. */
static const struct opcode {
    uint8_t code;
    bool is_attribute; /* of the key that follows */
    int (*read)(struct dec *d);
} opcodes[] = {
    {RDB_OP_EXPIRETIME_MS, true, read_expire_ms}, /* the one that comes in numbers: first */
    {RDB_OP_AUX, false, read_aux},
    {RDB_OP_SELECTDB, false, read_selectdb},
    {RDB_OP_RESIZEDB, false, read_resizedb},
    {RDB_OP_SLOT_INFO, false, read_slot_info},
    {RDB_OP_FUNCTION2, false, read_function},
    {RDB_OP_EXPIRETIME, true, read_expire_s},
    {RDB_OP_IDLE, true, read_idle},
    {RDB_OP_FREQ, true, read_freq},
    {RDB_OP_MODULE_AUX, false, dec_module_aux},
};

static const struct opcode *
find_opcode(uint8_t code)
{
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (opcodes[i].code == code)
            return &opcodes[i];
    return NULL;
}

static int
read_string(struct dec *d)
{
    struct string_in s;
    struct slice piece;
    int r;

    if ((r = dec_value_begin(d, &s)) != 0)
        return r;
    r = d->ev->string_begin == NULL ? 0 : d->ev->string_begin(d->ctx, s.len);
    if (r == RDB_SKIP_VALUE)
        return dec_string_skip_rest(d, &s);
    if (dec_sink(d, r) != 0)
        return r;
    if (d->ev->string_bytes == NULL)
        return dec_string_over(d, &s);
    while (s.left > 0) {
        if ((r = dec_string_next(d, &s, &piece)) != 0)
            return r;
        if ((r = dec_sink(d, d->ev->string_bytes(d->ctx, piece))) != 0)
            return r;
    }
    return 0;
}

/* The value types that are read. */
static const struct value_type {
    uint8_t type;
    enum rdb_value_kind kind;
    int (*read)(struct dec *d);
    const char *shape; /* for dec_skip() */
} value_types[] = {
    {RDB_TYPE_STRING, RDB_VALUE_STRING, read_string, "s"},
    {RDB_TYPE_LIST_QUICKLIST_2, RDB_VALUE_LIST, dec_list_quicklist, "(ls)"},
    {RDB_TYPE_LIST_QUICKLIST, RDB_VALUE_LIST, dec_list_ziplists, "(s)"},
    {RDB_TYPE_LIST_ZIPLIST, RDB_VALUE_LIST, dec_list_ziplist, "s"},
    {RDB_TYPE_LIST, RDB_VALUE_LIST, dec_list_plain, "(s)"},
    {RDB_TYPE_SET, RDB_VALUE_SET, dec_set_plain, "(s)"},
    {RDB_TYPE_SET_INTSET, RDB_VALUE_SET, dec_set_intset, "s"},
    {RDB_TYPE_SET_LISTPACK, RDB_VALUE_SET, dec_set_listpack, "s"},
    {RDB_TYPE_HASH, RDB_VALUE_HASH, dec_hash_plain, "(ss)"},
    {RDB_TYPE_HASH_LISTPACK, RDB_VALUE_HASH, dec_hash_listpack, "s"},
    {RDB_TYPE_HASH_ZIPLIST, RDB_VALUE_HASH, dec_hash_ziplist, "s"},
    {RDB_TYPE_HASH_ZIPMAP, RDB_VALUE_HASH, dec_hash_zipmap, "s"},
    {RDB_TYPE_ZSET, RDB_VALUE_ZSET, dec_zset_ascii, "(sa)"},
    {RDB_TYPE_ZSET_2, RDB_VALUE_ZSET, dec_zset_binary, "(s8)"},
    {RDB_TYPE_ZSET_LISTPACK, RDB_VALUE_ZSET, dec_zset_listpack, "s"},
    {RDB_TYPE_ZSET_ZIPLIST, RDB_VALUE_ZSET, dec_zset_ziplist, "s"},
    {RDB_TYPE_STREAM, RDB_VALUE_STREAM, dec_stream_1, "(ss)lll(sll(i8l)(s8(i)))"},
    {RDB_TYPE_STREAM_2, RDB_VALUE_STREAM, dec_stream_2, "(ss)llllllll(slll(i8l)(s8(i)))"},
    {RDB_TYPE_STREAM_3, RDB_VALUE_STREAM, dec_stream_3, "(ss)llllllll(slll(i8l)(s88(i)))"},
};

/* ... and those whose number means this in some versions only. */
static const struct {
    struct value_type type;
    int from, until;
} types_of_versions[] = {
    {{RDB_TYPE_HASH_EXPIRES, RDB_VALUE_HASH, dec_hash_expires, "8(lss)"},
     12,
     RDB_VERSION_REDIS_LAST},
    {{RDB_TYPE_HASH_EXPIRES_LISTPACK, RDB_VALUE_HASH, dec_hash_expires_listpack, "8s"},
     12,
     RDB_VERSION_REDIS_LAST},
    {{RDB_TYPE_HASH_EXPIRES_RC, RDB_VALUE_HASH, dec_hash_expires_rc, "(lss)"},
     12,
     RDB_VERSION_REDIS_LAST},
    {{RDB_TYPE_HASH_EXPIRES_LISTPACK_RC, RDB_VALUE_HASH, dec_hash_expires_listpack_rc, "s"},
     12,
     RDB_VERSION_REDIS_LAST},
    {{RDB_TYPE_HASH_EXPIRES_VALKEY, RDB_VALUE_HASH, dec_hash_expires_valkey, "(ss8)"},
     RDB_VERSION_VALKEY,
     INT_MAX},
};

static const struct value_type *
find_value_type(int version, uint8_t type)
{
    for (size_t i = 0; i < sizeof value_types / sizeof *value_types; i++)
        if (value_types[i].type == type)
            return &value_types[i];
    for (size_t i = 0; i < sizeof types_of_versions / sizeof *types_of_versions; i++)
        if (types_of_versions[i].type.type == type && version >= types_of_versions[i].from &&
            version <= types_of_versions[i].until)
            return &types_of_versions[i].type;
    return NULL;
}

static void
forget_attributes(struct dec *d)
{
    d->has_attributes = false;
    d->key.expire_at_ms = d->key.idle_s = d->key.freq = -1;
}

static void
forget_key(struct dec *d)
{
    d->has_key = false;
    forget_attributes(d);
    dec_trim(&d->name);
    dec_trim(&d->field);
    dec_trim(&d->value);
}

int
dec_name(struct dec *d)
{
    int r;

    d->what = "a key";
    if ((r = dec_string_whole(d, &d->name)) == 0)
        d->has_key = true;
    return r;
}

/* read_raw: the value, and as it stands in the file. */
static int
read_raw(struct dec *d, const struct value_type *t)
{
    int r;

    d->is_raw = true;
    d->raw_from = rdb_source_offset(d->src);
    if ((r = t->read(d)) == 0)
        r = dec_raw(d);
    d->is_raw = false;
    return r;
}

/* read_value: the value of the key in hand, whose name was read; offset: of its type byte. */
static int
read_value(struct dec *d, const struct value_type *t, uint64_t offset)
{
    int r;

    d->has_seen_key = true;
    d->key.name = bytes_slice(&d->name);
    d->key.type = t->type;
    d->key.kind = t->kind;
    d->key.offset = offset;
    r = d->ev->key == NULL ? 0 : d->ev->key(d->ctx, &d->key);
    if (unlikely(r == RDB_SKIP_VALUE))
        r = dec_skip(d, t->shape);
    else if (likely(dec_sink(d, r) == 0))
        r = unlikely(d->ev->raw != NULL) ? read_raw(d, t) : t->read(d);
    if (r != 0)
        return r;
    if (d->ev->value_end != NULL && (r = dec_sink(d, d->ev->value_end(d->ctx))) != 0)
        return r;
    forget_key(d);
    return 0;
}

/* keep_name: the key's name, for the message. */
static void
keep_name(struct dec *d)
{
    if (dec_reserve(d, &d->name, d->key.name.len + 1) != 0)
        return;
    memcpy(d->name.at, d->key.name.ptr, d->key.name.len);
    d->name.len = d->key.name.len;
    d->has_key = true;
}

/* read_plain_string: a key that is a string, after its type byte, where all of it is in hand:
 * *ret_is_read; else nothing has been read. */
static int
read_plain_string(struct dec *d, uint64_t offset, bool *ret_is_read)
{
    const uint8_t *begin = source_here(d->src), *end = begin + source_ready(d->src), *at;
    struct slice value;
    int r;

    if ((at = dec_plain(begin, end, &d->key.name)) == NULL ||
        (at = dec_plain(at, end, &value)) == NULL)
        return 0;
    *ret_is_read = d->has_seen_key = true;
    d->key.type = RDB_TYPE_STRING;
    d->key.kind = RDB_VALUE_STRING;
    d->key.offset = offset;
    source_skip(d->src, (size_t)(at - begin));
    r = d->ev->plain_string(d->ctx, &d->key, value);
    if (unlikely(r != 0)) {
        keep_name(d);
        return dec_sink(d, r);
    }
    if (d->has_attributes)
        forget_attributes(d);
    return 0;
}

/* read_key: a key and its value, after their type byte. */
static int
read_key(struct dec *d, const struct value_type *t, uint64_t offset)
{
    bool is_read = false;
    int r;

    if (t->type == RDB_TYPE_STRING && d->ev->plain_string != NULL) {
        r = read_plain_string(d, offset, &is_read);
        if (is_read)
            return r;
    }
    if ((r = dec_name(d)) != 0)
        return r;
    return read_value(d, t, offset);
}

/* read_crc: the trailer.  Until here everything was hashed, the EOF opcode included. */
static int
read_crc(struct dec *d, enum rdb_crc *ret)
{
    uint64_t offset = rdb_source_offset(d->src), want = source_crc(d->src), has = 0;
    int r;

    *ret = RDB_CRC_NONE;
    if (d->version < RDB_CRC_FROM_VERSION)
        return 0;
    d->what = "the checksum";
    if ((r = dec_le(d, RDB_CRC_BYTES, &has)) != 0)
        return r;
    if (has != 0 && d->check_crc && has != want)
        return dec_fail(d, offset, -EINVAL,
                        "wrong checksum: the file says %016llx, its bytes give %016llx",
                        (unsigned long long)has, (unsigned long long)want);
    *ret = has == 0 ? RDB_CRC_ZERO : d->check_crc ? RDB_CRC_GOOD : RDB_CRC_UNCHECKED;
    return 0;
}

static int
read_end(struct dec *d)
{
    enum rdb_crc crc;
    int r;

    if ((r = read_crc(d, &crc)) != 0 || (r = dec_end(d, "the end")) != 0)
        return r;
    if (crc == RDB_CRC_ZERO && source_is_summed(d->src))
        crc = RDB_CRC_FRAME;
    return d->ev->end != NULL ? dec_sink(d, d->ev->end(d->ctx, crc)) : 0;
}

/* read_opcode: what is not a key.  *ret_is_last: it was the end. */
static int
read_opcode(struct dec *d, uint8_t code, const char *name, uint64_t offset, bool *ret_is_last)
{
    const struct opcode *op = find_opcode(code);

    /* KeyDB writes an AUX field between a key's attributes and the key. */
    if (d->has_attributes && op != NULL && op->code == RDB_OP_AUX)
        return read_aux(d);
    if (d->has_attributes && (op == NULL || !op->is_attribute))
        return dec_fail(d, offset, -EINVAL,
                        "%s where a key should follow its expiry, idle time or frequency", name);
    if (op != NULL) {
        d->has_attributes = op->is_attribute;
        return op->read(d);
    }
    if (code != RDB_OP_EOF)
        return dec_not_read(d, offset, "opcode", code, name, rdb_opcode_since(d->version, code));
    *ret_is_last = true;
    return read_end(d);
}

/* read_item: one opcode or key. */
static int
read_item(struct dec *d, bool *ret_is_last)
{
    uint64_t offset = rdb_source_offset(d->src);
    const struct value_type *type;
    const char *name;
    uint8_t code = 0;
    int r;

    if (!d->has_attributes) {
        d->key.begin = offset;
        if (unlikely(d->ev->item != NULL) && (r = dec_sink(d, d->ev->item(d->ctx, offset))) != 0)
            return r;
    }
    d->what = "its contents, before the end mark";
    if ((r = dec_byte(d, &code)) != 0)
        return r;
    if ((type = find_value_type(d->version, code)) != NULL)
        return read_key(d, type, offset);
    if ((name = rdb_opcode_name(d->version, code)) != NULL)
        return read_opcode(d, code, name, offset, ret_is_last);
    if ((r = dec_unknown_key(d, code, offset)) == 0)
        forget_key(d);
    return r;
}

static int
decode_items(struct dec *d)
{
    bool is_last = false;
    int r = 0;

    while (!is_last)
        if ((r = read_item(d, &is_last)) != 0 || (r = dec_progress(d)) != 0)
            return r;
    return r;
}

static int
decode(struct dec *d)
{
    int r = dec_magic(d);

    return r == 0 ? decode_items(d) : r;
}

/* run: `what` with all that a decoder needs. */
static int
run(struct dec *d, int (*what)(struct dec *d))
{
    int r;

    must(rdb_source_offset(d->src) == 0); /* a source is read once */
    *d->err = (struct rdb_error){.within = ""};
    d->src->with_crc = d->check_crc;
    forget_key(d);
    field_set_init(&d->fields);
    field_set_init(&d->libraries);
    r = what(d);
    field_set_fini(&d->fields);
    field_set_fini(&d->libraries);
    free(d->window.bytes);
    dec_forget(&d->name);
    dec_forget(&d->field);
    dec_forget(&d->value);
    return r;
}

int
rdb_decode(struct rdb_source *src, const struct rdb_events *ev, void *ctx, bool check_crc,
           struct rdb_error *err)
{
    struct dec d = {
        .src = src, .ev = ev, .ctx = ctx, .err = err, .check_crc = check_crc, .version = -1};

    return run(&d, decode);
}

/* decode_place: as decode_items(), from d->given_place on. */
static int
decode_place(struct dec *d)
{
    source_move(d->src, d->given_place->offset);
    d->next_progress = d->given_place->offset;
    d->key.db = d->given_place->db;
    d->has_seen_key = true; /* what came before is not known */
    return decode_items(d);
}

int
rdb_decode_items(struct rdb_source *src, const struct rdb_place *place, const struct rdb_events *ev,
                 void *ctx, struct rdb_error *err)
{
    struct dec d = {.src = src,
                    .ev = ev,
                    .ctx = ctx,
                    .err = err,
                    .version = place->version,
                    .given_place = place};

    return run(&d, decode_place);
}

/* decode_value: what DUMP gives: no opcode, no second value. */
static int
decode_value(struct dec *d)
{
    const struct value_type *type;
    uint8_t code = 0;
    int r;

    if ((r = dec_reserve(d, &d->name, d->given.len + 1)) != 0)
        return r;
    if (d->given.len > 0)
        memcpy(d->name.at, d->given.ptr, d->given.len);
    d->name.len = d->given.len;
    d->has_key = true;
    d->what = "a value's type";
    if ((r = dec_byte(d, &code)) != 0)
        return r;
    if ((type = find_value_type(d->version, code)) != NULL)
        r = read_value(d, type, 0);
    else if (rdb_type_name(d->version, code) != NULL)
        r = dec_unknown_value(d, code, 0);
    else
        r = dec_fail(d, 0, -EINVAL, "%u (0x%02x) is no type of RDB", code, code);
    if (r != 0)
        return r;
    d->has_key = true; /* for the message */
    return dec_end(d, "the value");
}

int
rdb_decode_value(struct rdb_source *src, int version, struct slice name,
                 const struct rdb_events *ev, void *ctx, struct rdb_error *err)
{
    struct dec d = {
        .src = src, .ev = ev, .ctx = ctx, .err = err, .version = version, .given = name};

    return run(&d, decode_value);
}
