/* server/commands/bitmap/bitfield.c - BITFIELD and BITFIELD_RO: numbers of any width within a
 * string. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/num.h"
#include "server/commands/bitmap/bits.h"
#include "server/commands/string/string.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/string/bits.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/bitmap/bitmap.def"

enum field_action { FIELD_GET, FIELD_SET, FIELD_ADD };
enum overflow { OVERFLOW_WRAP, OVERFLOW_SAT, OVERFLOW_FAIL };

struct field_op {
    enum field_action action;
    enum overflow overflow;
    bool is_signed;
    unsigned bits;
    uint64_t offset;
    int64_t operand;
};

struct field_ops {
    struct field_op *at;
    size_t count;
    uint64_t need_bytes; /* what is written ends within so many; 0: nothing is */
};

/* ---- arguments ---- */

/* parse_type: "i8", "u63" ... */
static bool
parse_type(struct client *c, int i, struct field_op *op)
{
    struct slice s = c->argv[i];
    int64_t bits = 0;

    op->is_signed = s.len > 0 && s.ptr[0] == 'i';
    if (s.len < 2 || (!op->is_signed && s.ptr[0] != 'u') ||
        !num_parse(s.ptr + 1, s.len - 1, &bits) || bits < 1 || bits > (op->is_signed ? 64 : 63)) {
        reply_error(
            c,
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
        return false;
    }
    op->bits = (unsigned)bits;
    return true;
}

static bool
parse_overflow(struct client *c, int i, enum overflow *ret)
{
    if (arg_is(c, i, "wrap")) {
        *ret = OVERFLOW_WRAP;
    } else if (arg_is(c, i, "sat")) {
        *ret = OVERFLOW_SAT;
    } else if (arg_is(c, i, "fail")) {
        *ret = OVERFLOW_FAIL;
    } else {
        reply_error(c, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

/* parse_action: the word at i; *ret_words: how many arguments belong to it.  False: it is none, or
 * too few follow. */
static bool
parse_action(const struct client *c, int i, enum field_action *ret, int *ret_words)
{
    if (arg_is(c, i, "get"))
        *ret = FIELD_GET, *ret_words = 3;
    else if (arg_is(c, i, "set"))
        *ret = FIELD_SET, *ret_words = 4;
    else if (arg_is(c, i, "incrby"))
        *ret = FIELD_ADD, *ret_words = 4;
    else
        return false;
    return i + *ret_words <= c->argc;
}

static bool
parse_op(struct client *c, int i, struct field_op *op, struct field_ops *ops)
{
    uint64_t end;

    if (!parse_type(c, i + 1, op) || !arg_bit_offset(c, i + 2, op->bits, &op->offset))
        return false;
    if (op->action == FIELD_GET)
        return true;
    if (!arg_int(c, i + 3, &op->operand))
        return false;
    end = (op->offset + op->bits - 1) / 8 + 1;
    ops->need_bytes = end > ops->need_bytes ? end : ops->need_bytes;
    return true;
}

/* parse: false, and an error was replied. */
static bool
parse(struct client *c, struct field_ops *ops)
{
    enum overflow overflow = OVERFLOW_WRAP;

    for (int i = 2, words; i < c->argc; i += words) {
        struct field_op *op = &ops->at[ops->count];

        *op = (struct field_op){.action = FIELD_GET};
        if (arg_is(c, i, "overflow") && i + 1 < c->argc) {
            words = 2;
            if (!parse_overflow(c, i + 1, &overflow))
                return false;
            continue;
        }
        if (!parse_action(c, i, &op->action, &words)) {
            reply_syntax(c);
            return false;
        }
        op->overflow = overflow;
        if (!parse_op(c, i, op, ops))
            return false;
        ops->count++;
    }
    return true;
}

/* ---- one operation ---- */

/* field_get: sign and all. */
static __int128
field_get(struct slice s, const struct field_op *op)
{
    uint64_t raw = bits_read(s, op->offset, op->bits);

    return op->is_signed ? (int64_t)(raw << (64 - op->bits)) >> (64 - op->bits) : (__int128)raw;
}

/* is_seen_as_above: SET of a number that lies further below a field's range than an int64 can tell
 * counts as above it in Redis, and saturates there. */
static bool
is_seen_as_above(const struct field_op *op, __int128 value, __int128 max)
{
    return op->action == FIELD_SET && op->is_signed && op->bits < 64 && max - value > INT64_MAX;
}

/* fit: what a number becomes in so many bits.  False: it does not fit, and that is a failure. */
static bool
fit(const struct field_op *op, __int128 value, int64_t *ret)
{
    __int128 one = 1, max = (one << (op->is_signed ? op->bits - 1 : op->bits)) - 1;
    __int128 min = op->is_signed ? -max - 1 : 0;

    if (value >= min && value <= max) {
        *ret = (int64_t)value;
        return true;
    }
    if (op->overflow == OVERFLOW_FAIL)
        return false;
    if (op->overflow == OVERFLOW_SAT)
        *ret = (int64_t)(value > max || is_seen_as_above(op, value, max) ? max : min);
    else if (op->is_signed)
        *ret = (int64_t)((uint64_t)value << (64 - op->bits)) >> (64 - op->bits);
    else
        *ret = (int64_t)((uint64_t)value & (uint64_t)max);
    return true;
}

/* wanted: what the operation would leave in a field that holds `old`.  An unsigned field takes what
 * SET says as unsigned too. */
static __int128
wanted(const struct field_op *op, __int128 old)
{
    if (op->action == FIELD_ADD)
        return old + op->operand;
    return op->is_signed ? (__int128)op->operand : (__int128)(uint64_t)op->operand;
}

/* A string whose fields are changed: in place through its record, or, while it is small, in a copy
 * that becomes the value at the end. */
struct field_target {
    struct db_ref ref;
    char *copy; /* NULL: in place */
    size_t len;
};

static struct slice
target_text(const struct field_target *t)
{
    return t->copy != NULL ? (struct slice){.ptr = t->copy, .len = t->len}
                           : record_blob(t->ref.rec);
}

static void
field_put(struct field_target *t, const struct field_op *op, int64_t value)
{
    struct slice text = target_text(t);
    uint64_t first = op->offset / 8, end = (op->offset + op->bits - 1) / 8 + 1;
    char bytes[9];

    if (t->copy != NULL) {
        bits_write(t->copy, op->offset, op->bits, (uint64_t)value);
        return;
    }
    memcpy(bytes, text.ptr + first, end - first);
    bits_write(bytes, op->offset % 8, op->bits, (uint64_t)value);
    /* in place */
    must(blob_write(&t->ref, first, (struct slice){.ptr = bytes, .len = end - first}) == 0);
}

/* run: one operation, with its reply; returns whether it counts as a change: it does in a string
 * that grows. */
static bool
run(struct client *c, struct field_target *t, const struct field_op *op, bool grows)
{
    __int128 old = field_get(target_text(t), op);
    int64_t value;

    if (op->action == FIELD_GET) {
        reply_int(c, (int64_t)old);
        return false;
    }
    if (!fit(op, wanted(op, old), &value)) {
        reply_null(c);
        return false;
    }
    reply_int(c, op->action == FIELD_SET ? (int64_t)old : value);
    if (value == (int64_t)old)
        return grows;
    field_put(t, op, value);
    return true;
}

/* ---- commands ---- */

static void
read_fields(struct client *c, const struct field_ops *ops)
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = {.ptr = "", .len = 0};
    struct db_ref ref;

    if (!string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec != NULL)
        text = record_text(ref.rec, scratch);
    reply_array(c, ops->count);
    for (size_t i = 0; i < ops->count; i++)
        reply_int(c, (int64_t)field_get(text, &ops->at[i]));
}

/* target_begin: room for all that is written; whatever may fail for a large string fails here.  0
 * or -ENOMEM */
static int
target_begin(struct field_target *t, struct slice text, uint64_t need_bytes)
{
    static char scratch[RECORD_INLINE_MAX];
    const struct record *r = t->ref.rec;
    bool is_outer = r != NULL && record_encoding(r) == ENC_OUTER;

    t->len = need_bytes > text.len ? need_bytes : text.len;
    t->copy = NULL;
    if (is_outer && t->len == text.len)
        return 0;
    if (!is_outer && record_can_inline(t->ref.key.len, t->len)) {
        t->copy = memcpy(scratch, text.ptr, text.len);
        memset(scratch + text.len, 0, t->len - text.len);
        return 0;
    }
    /* an inline one too long to stay so: its first byte again, in a block */
    if (t->len == text.len)
        return blob_write(&t->ref, 0, (struct slice){.ptr = text.ptr, .len = 1});
    return blob_write(&t->ref, t->len - 1, (struct slice){.ptr = "", .len = 1});
}

static void
write_fields(struct client *c, const struct field_ops *ops)
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = {.ptr = "", .len = 0};
    struct field_target t;
    size_t pending = client_pending_out(c);
    uint64_t changes = 0;
    bool grows;

    if (!string_find_key(c, 1, DB_WRITE, &t.ref))
        return;
    if (t.ref.rec != NULL)
        text = record_text(t.ref.rec, scratch);
    grows = ops->need_bytes > text.len;
    if (target_begin(&t, text, ops->need_bytes) < 0) {
        reply_no_memory(c);
        return;
    }
    reply_array(c, ops->count);
    for (size_t i = 0; i < ops->count; i++)
        changes += run(c, &t, &ops->at[i], grows);
    if (t.copy != NULL && blob_write(&t.ref, 0, (struct slice){.ptr = t.copy, .len = t.len}) < 0) {
        reply_take_back(c, pending);
        reply_no_memory(c);
        return;
    }
    if (changes > 0)
        changed(c, c->argv[1], KEY_EVENT_STRING, "setbit", changes);
}

static void
bitfield(struct client *c, bool read_only)
{
    struct field_ops ops = {.at = malloc(((size_t)c->argc / 2 + 1) * sizeof *ops.at)};

    if (ops.at == NULL)
        reply_no_memory(c);
    else if (!parse(c, &ops))
        ;
    else if (ops.need_bytes == 0)
        read_fields(c, &ops);
    else if (read_only)
        reply_error(c, "ERR BITFIELD_RO only supports the GET subcommand");
    else
        write_fields(c, &ops);
    free(ops.at);
}

void
cmd_bitfield(struct client *c)
{
    bitfield(c, false);
}

void
cmd_bitfield_ro(struct client *c)
{
    bitfield(c, true);
}
