/* tool/salvage/step.c - the shapes of values, and steps over them.  The format: docs/rdb.md. */
#include "tool/salvage/step.h"

#include "mm/base/le.h"
#include "mm/base/must.h"
#include "snapshot/rdb/lzf.h"
#include "snapshot/rdb/rdb.h"

/* A step's state: where it is.  A function is false where nothing can begin, or (is_cut) the file
 * ends. */
struct walk {
    struct stepper *s;
    uint64_t at;
    bool is_cut;
};

enum { ZEROS = 6, DATABASES_MOST = 1 << 20, ATTRIBUTES_MOST = 4 };

/* cut: so much was claimed, and the file ends before. */
static bool
cut(struct walk *w, uint64_t claimed)
{
    w->is_cut = true;
    w->s->claimed = claimed;
    return false;
}

static bool
skip(struct walk *w, uint64_t n)
{
    if (unlikely(n > w->s->flat->size - w->at))
        return cut(w, n);
    w->at += n;
    return true;
}

static bool
take_byte(struct walk *w, uint8_t *ret)
{
    const uint8_t *p = flat_at(w->s->flat, w->at, 1);

    if (unlikely(p == NULL))
        return cut(w, 1);
    *ret = *p;
    w->at++;
    return true;
}

static bool
take_big_endian(struct walk *w, unsigned bytes, uint64_t *ret)
{
    const uint8_t *p = flat_at(w->s->flat, w->at, bytes);

    if (unlikely(p == NULL))
        return cut(w, bytes);
    for (unsigned i = 0; i < bytes; i++)
        *ret = *ret << 8 | p[i];
    w->at += bytes;
    return true;
}

/* take_form: a length, or the form of a string (*ret_form >= RDB_ENC_INT8). */
static bool
take_form(struct walk *w, uint64_t *ret, uint8_t *ret_form)
{
    uint8_t first;

    if (!take_byte(w, &first))
        return false;
    *ret = first & 0x3f;
    *ret_form = first;
    if (first < RDB_LEN_14 || first >= RDB_ENC_INT8)
        return first <= RDB_ENC_LZF;
    if (first < RDB_LEN_32)
        return take_big_endian(w, 1, ret);
    *ret = 0;
    if (first != RDB_LEN_32 && first != RDB_LEN_64)
        return false;
    return take_big_endian(w, first == RDB_LEN_32 ? 4 : 8, ret);
}

static bool
take_len(struct walk *w, uint64_t *ret)
{
    uint8_t form;

    return take_form(w, ret, &form) && form < RDB_ENC_INT8;
}

/* take_string: *ret_len: of what it is when it is unpacked (of integers: 0). */
static bool
take_string(struct walk *w, uint64_t *ret_len, uint8_t *ret_form)
{
    uint64_t packed;

    if (unlikely(++w->s->work > w->s->work_most) || !take_form(w, ret_len, ret_form))
        return false;
    if (*ret_form < RDB_ENC_INT8)
        return skip(w, *ret_len);
    if (*ret_form < RDB_ENC_LZF) {
        *ret_len = 0;
        return skip(w, 1u << (*ret_form - RDB_ENC_INT8));
    }
    if (!take_len(w, &packed) || !take_len(w, ret_len))
        return false;
    if (packed == 0 || *ret_len == 0 || *ret_len / LZF_MAX_RATIO > packed)
        return false;
    return skip(w, packed);
}

static bool
skip_string(struct walk *w)
{
    uint64_t len;
    uint8_t form;

    return take_string(w, &len, &form);
}

static bool
skip_len(struct walk *w)
{
    uint64_t len;

    return take_len(w, &len);
}

/* What an element of a collection is made of: letters. */
static bool
skip_element(struct walk *w, const char *shape)
{
    uint64_t n;
    uint8_t byte;

    for (; *shape != '\0'; shape++)
        switch (*shape) {
        case 's': /* a string */
            if (!skip_string(w))
                return false;
            break;
        case 'l': /* a length */
            if (!skip_len(w))
                return false;
            break;
        case '8': /* eight bytes */
            if (!skip(w, 8))
                return false;
            break;
        case 'n': /* of a quicklist: the kind of a node */
            if (!take_len(w, &n) || n < RDB_QUICKLIST_PLAIN || n > RDB_QUICKLIST_PACKED)
                return false;
            break;
        case 'a': /* a score in digits */
            if (!take_byte(w, &byte) || (byte < 253 && !skip(w, byte)))
                return false;
            break;
        default:
            never("a letter of no shape");
        }
    return true;
}

/* skip_elements: a count, then as many; each takes a byte at least. */
static bool
skip_elements(struct walk *w, const char *shape)
{
    uint64_t count;

    if (!take_len(w, &count))
        return false;
    if (count > w->s->flat->size - w->at)
        return cut(w, count);
    for (; count > 0; count--)
        if (!skip_element(w, shape))
            return false;
    return true;
}

static bool
skip_node(struct walk *w)
{
    uint64_t len;
    uint8_t form;

    return take_string(w, &len, &form) && len == STREAM_ID_BYTES && skip_string(w);
}

static bool
skip_consumer(struct walk *w, int form)
{
    uint64_t pending;

    if (!skip_string(w) || !skip(w, form > 2 ? 16 : 8) || !take_len(w, &pending))
        return false;
    if (pending > w->s->flat->size / STREAM_ID_BYTES)
        return cut(w, pending);
    return skip(w, pending * STREAM_ID_BYTES);
}

static bool
skip_group(struct walk *w, int form)
{
    uint64_t n;

    if (!skip_element(w, form > 1 ? "slll" : "sll") || !take_len(w, &n))
        return false;
    for (; n > 0; n--)
        if (++w->s->work > w->s->work_most || !skip(w, STREAM_ID_BYTES + 8) || !skip_len(w))
            return false;
    if (!take_len(w, &n))
        return false;
    for (; n > 0; n--)
        if (!skip_consumer(w, form))
            return false;
    return true;
}

static bool
skip_stream(struct walk *w, int form)
{
    uint64_t n;

    if (!take_len(w, &n))
        return false;
    for (; n > 0; n--)
        if (!skip_node(w))
            return false;
    if (!skip_element(w, form > 1 ? "llllllll" : "lll") || !take_len(w, &n))
        return false;
    for (; n > 0; n--)
        if (!skip_group(w, form))
            return false;
    return true;
}

/* skip_module: its name, then pieces that say what they are, to the end of all. */
static bool
skip_module(struct walk *w)
{
    enum { END, SIGNED, UNSIGNED, FLOAT, DOUBLE, STRING };
    uint64_t what;

    if (!skip_len(w))
        return false;
    while (take_len(w, &what) && ++w->s->work <= w->s->work_most) {
        bool is_good = what == SIGNED || what == UNSIGNED ? skip_len(w)
                       : what == FLOAT || what == DOUBLE  ? skip(w, what == FLOAT ? 4 : 8)
                       : what == STRING                   ? skip_string(w)
                                                          : false;

        if (what == END)
            return true;
        if (!is_good)
            return false;
    }
    return false;
}

/* What a value is, by its type: elements behind a count, or one blob, or nothing of these. */
enum { BLOB_NONE, BLOB, BLOB_LISTPACK, BLOB_ZIPLIST, BLOB_INTSET };
static const struct shape {
    uint8_t type, blob;
    bool is_redis_12, is_valkey_80; /* of these only */
    bool has_head;                  /* eight bytes first */
    const char *elements;           /* NULL: none */
} shapes[] = {
    {.type = RDB_TYPE_STRING, .blob = BLOB},
    {.type = RDB_TYPE_LIST, .elements = "s"},
    {.type = RDB_TYPE_SET, .elements = "s"},
    {.type = RDB_TYPE_ZSET, .elements = "sa"},
    {.type = RDB_TYPE_HASH, .elements = "ss"},
    {.type = RDB_TYPE_ZSET_2, .elements = "s8"},
    {.type = RDB_TYPE_HASH_ZIPMAP, .blob = BLOB},
    {.type = RDB_TYPE_LIST_ZIPLIST, .blob = BLOB_ZIPLIST},
    {.type = RDB_TYPE_SET_INTSET, .blob = BLOB_INTSET},
    {.type = RDB_TYPE_ZSET_ZIPLIST, .blob = BLOB_ZIPLIST},
    {.type = RDB_TYPE_HASH_ZIPLIST, .blob = BLOB_ZIPLIST},
    {.type = RDB_TYPE_LIST_QUICKLIST, .elements = "s"},
    {.type = RDB_TYPE_HASH_LISTPACK, .blob = BLOB_LISTPACK},
    {.type = RDB_TYPE_ZSET_LISTPACK, .blob = BLOB_LISTPACK},
    {.type = RDB_TYPE_LIST_QUICKLIST_2, .elements = "ns"},
    {.type = RDB_TYPE_SET_LISTPACK, .blob = BLOB_LISTPACK},
    {.type = RDB_TYPE_HASH_EXPIRES_RC, .is_redis_12 = true, .elements = "lss"},
    {.type = RDB_TYPE_HASH_EXPIRES_LISTPACK_RC, .is_redis_12 = true, .blob = BLOB_LISTPACK},
    {.type = RDB_TYPE_HASH_EXPIRES, .is_redis_12 = true, .has_head = true, .elements = "lss"},
    {.type = RDB_TYPE_HASH_EXPIRES_LISTPACK,
     .is_redis_12 = true,
     .has_head = true,
     .blob = BLOB_LISTPACK},
    {.type = RDB_TYPE_HASH_EXPIRES_VALKEY, .is_valkey_80 = true, .elements = "ss8"},
};

static const struct shape *
shape_of(const struct stepper *s, uint8_t type)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *sh = &shapes[i];

        if (sh->type != type || (sh->is_valkey_80 && s->version < RDB_VERSION_VALKEY) ||
            (sh->is_redis_12 && (s->version < 12 || s->version > RDB_VERSION_REDIS_LAST)))
            continue;
        return sh;
    }
    return NULL;
}

static bool
skip_value(struct walk *w, uint8_t type)
{
    const struct shape *sh;

    if (type == RDB_TYPE_STREAM || type == RDB_TYPE_STREAM_2 || type == RDB_TYPE_STREAM_3)
        return skip_stream(w, type == RDB_TYPE_STREAM ? 1 : type == RDB_TYPE_STREAM_2 ? 2 : 3);
    if (type == RDB_TYPE_MODULE)
        return skip_module(w);
    if ((sh = shape_of(w->s, type)) == NULL || (sh->has_head && !skip(w, 8)))
        return false;
    return sh->elements != NULL ? skip_elements(w, sh->elements) : skip_string(w);
}

static bool
may_begin(const struct stepper *s, uint8_t first)
{
    return first == RDB_TYPE_MODULE || first == RDB_TYPE_STREAM || first == RDB_TYPE_STREAM_2 ||
           first == RDB_TYPE_STREAM_3 || shape_of(s, first) != NULL ||
           (first >= RDB_OP_SLOT_INFO && first != RDB_OP_FUNCTION_PRE);
}

static bool
is_type(const struct stepper *s, uint8_t byte)
{
    return byte < RDB_OP_SLOT_INFO && s->begins[byte];
}

void
step_init(struct stepper *s, struct flat *flat, int version, uint64_t work_most)
{
    *s = (struct stepper){
        .flat = flat, .version = version, .work_most = work_most, .refused = UINT64_MAX};
    for (unsigned byte = 0; byte < 256; byte++)
        s->begins[byte] = may_begin(s, (uint8_t)byte);
}

/* skip_attributes: *byte is the first one, and becomes the first one behind them. */
static bool
skip_attributes(struct walk *w, uint8_t *byte)
{
    for (int i = 0; i < ATTRIBUTES_MOST && *byte >= RDB_OP_IDLE && *byte <= RDB_OP_EXPIRETIME;
         i++) {
        bool is_good = *byte == RDB_OP_EXPIRETIME_MS ? skip(w, 8)
                       : *byte == RDB_OP_EXPIRETIME  ? skip(w, 4)
                       : *byte == RDB_OP_FREQ        ? skip(w, 1)
                       : *byte == RDB_OP_IDLE        ? skip_len(w)
                       /* KeyDB writes such a field between a key's attributes and the key */
                       : *byte == RDB_OP_AUX && i > 0 ? skip_element(w, "ss")
                                                      : false;

        if (!is_good || !take_byte(w, byte))
            return false;
    }
    return true;
}

static bool
skip_module_aux(struct walk *w)
{
    return skip_module(w); /* its first piece says when it is to be loaded: a length as others */
}

static enum step_kind
step_opcode(struct walk *w, uint8_t code)
{
    uint64_t db;
    bool is_good = false;

    switch (code) {
    case RDB_OP_EOF:
        return w->at - 1 == step_end_at(w->s) ? STEP_END : STEP_BAD;
    case RDB_OP_SELECTDB:
        is_good = take_len(w, &db) && db < DATABASES_MOST;
        break;
    case RDB_OP_RESIZEDB:
        is_good = skip_element(w, "ll");
        break;
    case RDB_OP_AUX:
        is_good = skip_element(w, "ss");
        break;
    case RDB_OP_FUNCTION2:
        is_good = skip_string(w);
        break;
    case RDB_OP_SLOT_INFO:
        is_good = skip_element(w, "lll");
        break;
    case RDB_OP_MODULE_AUX:
        is_good = skip_module_aux(w);
        break;
    default:
        break;
    }
    return is_good ? STEP_OPCODE : w->is_cut ? STEP_CUT : STEP_BAD;
}

/* is_zeroed: zeros are keys without a name, each a string without a byte; a database has one of
 * these at most. */
static bool
is_zeroed(struct stepper *s, uint64_t at)
{
    const uint8_t *p = flat_at(s->flat, at, ZEROS);

    return p != NULL && (le_load(p, ZEROS)) == 0;
}

enum step_kind
step_over(struct stepper *s, uint64_t at, uint64_t *ret_next)
{
    struct walk w = {.s = s, .at = at};
    enum step_kind kind = STEP_BAD;
    uint8_t first = 0;

    if (at == s->refused || s->work >= s->work_most || !take_byte(&w, &first))
        return at >= s->flat->size ? STEP_CUT : STEP_BAD;
    if (first >= RDB_OP_SLOT_INFO && !(first >= RDB_OP_IDLE && first <= RDB_OP_EXPIRETIME &&
                                       first != RDB_OP_AUX && first != RDB_OP_RESIZEDB)) {
        kind = step_opcode(&w, first);
    } else if (skip_attributes(&w, &first) && is_type(s, first) && !is_zeroed(s, w.at - 1) &&
               skip_string(&w) && skip_value(&w, first)) {
        kind = STEP_KEY;
    } else if (w.is_cut) {
        kind = STEP_CUT;
    }
    if (s->work > s->work_most)
        return STEP_BAD;
    *ret_next = w.at;
    return kind;
}

uint64_t
step_end_at(const struct stepper *s)
{
    uint64_t tail = s->version < RDB_CRC_FROM_VERSION ? 1 : 1 + RDB_CRC_BYTES;

    return s->flat->size < tail ? UINT64_MAX : s->flat->size - tail;
}

/* length_within: that a blob says of itself; 0: it says none. */
static uint64_t
length_within(struct stepper *s, uint8_t blob, uint64_t at)
{
    const uint8_t *p = flat_at(s->flat, at, 8);

    if (p == NULL)
        return 0;
    if (blob == BLOB_INTSET)
        return le_load(p, 4) * le_load(p + 4, 4) + 8;
    return le_load(p, 4);
}

/* has_end: the byte behind a listpack's or a ziplist's last entry. */
static bool
has_end(struct stepper *s, uint8_t blob, uint64_t until)
{
    enum { END = 0xff };
    const uint8_t *p = flat_at(s->flat, until - 1, 1);

    return blob != BLOB_INTSET && p != NULL && *p == END;
}

enum step_told
step_is_told_twice(struct stepper *s, uint64_t at)
{
    struct walk w = {.s = s, .at = at};
    const struct shape *sh;
    uint8_t byte, form;
    uint64_t len;

    if (!take_byte(&w, &byte) || !skip_attributes(&w, &byte) || (sh = shape_of(s, byte)) == NULL ||
        sh->blob == BLOB_NONE || !skip_string(&w) || (sh->has_head && !skip(&w, 8)) ||
        !take_string(&w, &len, &form))
        return STEP_NOT_TOLD;
    if (form == RDB_ENC_LZF)
        return STEP_TOLD;
    if (form >= RDB_ENC_INT8 || sh->blob == BLOB || length_within(s, sh->blob, w.at - len) != len)
        return STEP_NOT_TOLD;
    return has_end(s, sh->blob, w.at) ? STEP_TOLD_SOUND_END : STEP_TOLD;
}
