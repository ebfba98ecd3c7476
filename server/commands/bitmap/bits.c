/* server/commands/bitmap/bits.c - SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.  Fields of bits:
 * commands/bitmap/bitfield.c. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/num.h"
#include "server/commands/bitmap/bits.h"
#include "server/commands/string/string.h"
#include "server/config/config.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/string/bits.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/bitmap/bitmap.def"

bool
arg_bit_offset(struct client *c, int i, unsigned width, uint64_t *ret)
{
    struct slice s = c->argv[i];
    bool counts_fields = width != 0 && s.len > 0 && s.ptr[0] == '#';
    int64_t n;

    if (counts_fields)
        s.ptr++, s.len--;
    if (!num_parse(s.ptr, s.len, &n) || n < 0 ||
        (counts_fields && __builtin_mul_overflow(n, width, &n)) ||
        n / 8 >= (int64_t)config.proto_max_bulk_len) {
        reply_error(c, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *ret = (uint64_t)n;
    return true;
}

/* text_at: the string at ref, empty where there is none. */
static struct slice
text_at(const struct db_ref *ref, char scratch[NUM_MAX_BYTES])
{
    return ref->rec == NULL ? (struct slice){.ptr = "", .len = 0} : record_text(ref->rec, scratch);
}

void
cmd_setbit(struct client *c)
{
    char scratch[NUM_MAX_BYTES], byte;
    struct db_ref ref;
    struct slice text;
    uint64_t offset;
    int64_t on;
    bool was, grows;

    if (!arg_bit_offset(c, 2, 0, &offset))
        return;
    if (!num_parse(c->argv[3].ptr, c->argv[3].len, &on) || (on & ~(int64_t)1) != 0) {
        reply_error(c, "ERR bit is not an integer or out of range");
        return;
    }
    if (!string_find_key(c, 1, DB_WRITE, &ref))
        return;
    text = text_at(&ref, scratch);
    grows = offset / 8 >= text.len;
    was = bits_read(text, offset, 1) != 0;
    byte = grows ? 0 : text.ptr[offset / 8];
    bits_write(&byte, offset % 8, 1, (uint64_t)on);
    /* A string that is not of the kind that grows becomes one, even where the bit is as it was. */
    if (grows || was != on || !record_has(ref.rec, RECORD_RAW))
        if (blob_write(&ref, offset / 8, (struct slice){.ptr = &byte, .len = 1}) < 0) {
            reply_no_memory(c);
            return;
        }
    if (grows || was != on)
        changed(c, c->argv[1], KEY_EVENT_STRING, "setbit", 1);
    reply_int(c, was);
}

void
cmd_getbit(struct client *c)
{
    char scratch[NUM_MAX_BYTES];
    struct db_ref ref;
    uint64_t offset;

    if (arg_bit_offset(c, 2, 0, &offset) && string_find_key(c, 1, DB_READ, &ref))
        reply_int(c, (int64_t)bits_read(text_at(&ref, scratch), offset, 1));
}

/* ---- ranges ---- */

/* The arguments of a range, and then what they mean for a string. */
struct bit_range {
    int64_t start, end;
    bool in_bits;
    uint64_t from_bit, end_bit; /* [from, end); empty if they are equal */
};

/* parse_range: start, end and unit at the arguments from `at` on, as many as there are; the unit is
 * looked at where Redis does it: before the end if early_unit.  False, and an error was replied. */
static bool
parse_range(struct client *c, int at, struct bit_range *r)
{
    *r = (struct bit_range){.start = 0, .end = -1};
    if (c->argc > at && !arg_int(c, at, &r->start))
        return false;
    if (c->argc > at + 2) {
        r->in_bits = arg_is(c, at + 2, "bit");
        if (!r->in_bits && !arg_is(c, at + 2, "byte")) {
            reply_syntax(c);
            return false;
        }
    }
    return c->argc <= at + 1 || arg_int(c, at + 1, &r->end);
}

static int64_t
clamp_index(int64_t i, int64_t len)
{
    i = i < 0 ? i + len : i;
    return i < 0 ? 0 : i;
}

/* place_range: where it lies in a string of so many bytes. */
static void
place_range(struct bit_range *r, size_t bytes)
{
    int64_t len = (int64_t)(r->in_bits ? bytes * 8 : bytes);
    int64_t start = clamp_index(r->start, len), end = clamp_index(r->end, len);

    end = end >= len ? len - 1 : end;
    if (start > end)
        start = end = 0;
    else
        end++;
    r->from_bit = (uint64_t)start * (r->in_bits ? 1 : 8);
    r->end_bit = (uint64_t)end * (r->in_bits ? 1 : 8);
}

void
cmd_bitcount(struct client *c)
{
    char scratch[NUM_MAX_BYTES];
    struct bit_range range;
    struct db_ref ref;
    struct slice text;

    if (c->argc == 3 || c->argc > 5) {
        reply_syntax(c);
        return;
    }
    /* The end is a number before the unit is looked at: other than in BITPOS. */
    if (c->argc == 5 && (!arg_int(c, 2, &range.start) || !arg_int(c, 3, &range.end)))
        return;
    if (!parse_range(c, 2, &range) || !string_find_key(c, 1, DB_READ, &ref))
        return;
    if (range.start < 0 && range.end < 0 && range.start > range.end) {
        reply_int(c, 0);
        return;
    }
    text = text_at(&ref, scratch);
    place_range(&range, text.len);
    reply_int(c, (int64_t)bits_count(text.ptr, range.from_bit, range.end_bit));
}

/* find_bit: -1: not there. Without an end the string goes on with zeros. */
static int64_t
find_bit(struct slice text, const struct bit_range *r, bool bit, bool end_given)
{
    int64_t at;

    if (r->from_bit == r->end_bit)
        return -1;
    at = bits_find(text.ptr, r->from_bit, r->end_bit, bit);
    return at < 0 && !bit && !end_given ? (int64_t)r->end_bit : at;
}

void
cmd_bitpos(struct client *c)
{
    char scratch[NUM_MAX_BYTES];
    struct bit_range range;
    struct db_ref ref;
    struct slice text;
    int64_t bit;

    if (!arg_int(c, 2, &bit))
        return;
    if (bit != 0 && bit != 1) {
        reply_error(c, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (c->argc > 6) {
        reply_syntax(c);
        return;
    }
    if (!parse_range(c, 3, &range) || !string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec == NULL) { /* an infinite row of zeros */
        reply_int(c, bit == 1 ? -1 : 0);
        return;
    }
    text = text_at(&ref, scratch);
    place_range(&range, text.len);
    reply_int(c, find_bit(text, &range, bit == 1, c->argc > 4));
}

/* ---- BITOP ---- */

static const struct {
    const char *name;
    enum bits_operation op;
} operations[] = {{"and", BITS_AND}, {"or", BITS_OR}, {"xor", BITS_XOR}, {"not", BITS_NOT}};

static bool
parse_operation(struct client *c, enum bits_operation *ret)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (arg_is(c, 1, operations[i].name)) {
            *ret = operations[i].op;
            if (*ret != BITS_NOT || c->argc == 4)
                return true;
            reply_error(c, "ERR BITOP NOT must be called with a single source key.");
            return false;
        }
    reply_syntax(c);
    return false;
}

/* One operand. */
struct operands {
    struct slice *text;
    char (*scratch)[NUM_MAX_BYTES];
    size_t longest;
};

static bool
find_operands(struct client *c, struct operands *o)
{
    o->longest = 0;
    for (int i = 3; i < c->argc; i++) {
        struct db_ref ref;

        if (!string_find_key(c, i, DB_READ, &ref))
            return false;
        o->text[i - 3] = text_at(&ref, o->scratch[i - 3]);
        if (o->text[i - 3].len > o->longest)
            o->longest = o->text[i - 3].len;
    }
    return true;
}

/* store_result: the destination's block is built once, and becomes the value.  0 or -ENOMEM */
static int
store_result(struct client *c, enum bits_operation op, const struct operands *o)
{
    static char scratch[RECORD_INLINE_MAX];
    struct value v = {
        .type = TYPE_STRING, .enc = ENC_INLINE, .raw = true, .blob = {scratch, o->longest}};
    char *block = scratch;
    struct db_ref ref;

    if (!record_can_inline(c->argv[2].len, o->longest)) {
        if ((block = blob_alloc(o->longest)) == NULL)
            return -ENOMEM;
        v.enc = ENC_OUTER;
        v.blob.ptr = block;
    }
    bits_combine(block, o->longest, op, o->text, c->argc - 3);
    db_lookup(c->db, c->argv[2], DB_WRITE, &ref);
    if (db_store(&ref, &v, RECORD_NO_EXPIRE) == 0)
        return 0;
    value_free(&v);
    return -ENOMEM;
}

static void
combine(struct client *c, enum bits_operation op, struct operands *o)
{
    if (!find_operands(c, o))
        return;
    if (o->longest == 0) {
        if (db_delete(c->db, c->argv[2]))
            changed_gone(c, c->argv[2]);
    } else if (store_result(c, op, o) < 0) {
        reply_no_memory(c);
        return;
    } else {
        changed(c, c->argv[2], KEY_EVENT_STRING, "set", 1);
    }
    reply_int(c, (int64_t)o->longest);
}

void
cmd_bitop(struct client *c)
{
    size_t count = (size_t)c->argc - 3;
    struct operands o = {.text = NULL, .scratch = NULL};
    enum bits_operation op;

    if (!parse_operation(c, &op))
        return;
    o.text = malloc(count * sizeof *o.text);
    o.scratch = malloc(count * sizeof *o.scratch);
    if (o.text == NULL || o.scratch == NULL)
        reply_no_memory(c);
    else
        combine(c, op, &o);
    free(o.text);
    free(o.scratch);
}
