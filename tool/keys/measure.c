/* tool/keys/measure.c - how many elements, how large, and what a server makes of it. */
#include "tool/keys/measure.h"

#include "mm/base/num.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"

/* What Redis 7.2 takes as the limits of its small forms, if nobody configures them. */
enum {
    EMBSTR_BYTES = 44,
    LIST_NODE_BYTES = 8192,
    LIST_NODE_SPARE_BYTES = 8, /* by so much it overestimates an element that is pushed */
    HASH_ENTRIES = 512,
    SET_INTS = 512,
    SET_ENTRIES = 128,
    ZSET_ENTRIES = 128,
    SMALL_BYTES = 64 /* of one element */
};

const char *const key_encoding_names[KEY_ENCODINGS] = {[KEY_INT] = "int",
                                                       [KEY_EMBSTR] = "embstr",
                                                       [KEY_RAW] = "raw",
                                                       [KEY_LISTPACK] = "listpack",
                                                       [KEY_QUICKLIST] = "quicklist",
                                                       [KEY_INTSET] = "intset",
                                                       [KEY_HASHTABLE] = "hashtable",
                                                       [KEY_SKIPLIST] = "skiplist",
                                                       [KEY_STREAM] = "stream",
                                                       [KEY_LISTPACKEX] = "listpackex"};
const char *const key_kind_names[RDB_VALUE_COUNT] = {
    [RDB_VALUE_STRING] = "string", [RDB_VALUE_LIST] = "list", [RDB_VALUE_SET] = "set",
    [RDB_VALUE_HASH] = "hash",     [RDB_VALUE_ZSET] = "zset", [RDB_VALUE_STREAM] = "stream"};

void
measure_begin(struct measure *m, const struct rdb_key *key)
{
    m->facts = (struct key_facts){.key = key, .form = RDB_FORM_PLAIN};
    m->longest = m->node_bytes = m->nodes = 0;
    m->all_ints = true;
    m->has_plain_node = m->is_node_begun = false;
    m->text_len = 0;
}

/* add: elements, of so many bytes together. */
static inline void
add(struct measure *m, uint64_t bytes)
{
    m->facts.elements++;
    m->facts.value_bytes += bytes;
    if (bytes > m->facts.largest_bytes)
        m->facts.largest_bytes = bytes;
}

static inline void
see(struct measure *m, uint64_t bytes)
{
    if (bytes > m->longest)
        m->longest = bytes;
}

static bool
is_int(const char *text, size_t len)
{
    int64_t ignored;

    return len <= MEASURE_INT_TEXT && len > 0 && (uint8_t)*text <= '9' &&
           num_parse(text, len, &ignored);
}

/* ---- strings ---- */

static enum key_encoding
string_encoding(uint64_t len, bool is_integer)
{
    return is_integer ? KEY_INT : len <= EMBSTR_BYTES ? KEY_EMBSTR : KEY_RAW;
}

static inline void
set_encoding(struct key_facts *f, enum key_encoding e)
{
    f->encoding_number = e;
    f->encoding = key_encoding_names[e];
}

void
measure_plain(struct measure *m, const struct rdb_key *key, struct slice value, uint64_t end)
{
    m->facts = (struct key_facts){.key = key,
                                  .form = RDB_FORM_PLAIN,
                                  .elements = 1,
                                  .value_bytes = value.len,
                                  .largest_bytes = value.len,
                                  .record_bytes = end - key->begin};
    set_encoding(&m->facts, string_encoding(value.len, is_int(value.ptr, value.len)));
}

void
measure_form(struct measure *m, enum rdb_form form)
{
    m->facts.form = form;
}

int
measure_string_begin(struct measure *m, uint64_t len)
{
    add(m, len);
    return len > MEASURE_INT_TEXT ? RDB_SKIP_VALUE : 0;
}

void
measure_string_bytes(struct measure *m, struct slice piece)
{
    if (m->facts.value_bytes > MEASURE_INT_TEXT || piece.len > sizeof m->text - m->text_len)
        return;
    memcpy(m->text + m->text_len, piece.ptr, piece.len);
    m->text_len += (unsigned)piece.len;
}

/* ---- listpacks ---- */

/* digits: of an integer's text. */
static unsigned
digits(int64_t value)
{
    uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;
    unsigned n = value < 0 ? 2 : 1;

    for (; v >= 10000; v /= 10000)
        n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

static uint64_t
text_bytes(const struct lp_elem *e)
{
    return e->bytes != NULL ? e->len : digits(e->value);
}

/* take_next: the entry's length as text; *p: behind it. */
static inline uint64_t
take_next(const uint8_t **p)
{
    struct lp_elem e;

    lp_entry_get(*p, &e);
    *p += lp_entry_size(*p);
    return text_bytes(&e);
}

void
measure_members(struct measure *m, struct slice lp)
{
    const uint8_t *p = slice_bytes(lp) + LP_HEADER_BYTES;

    while (*p != LP_END)
        add(m, take_next(&p));
}

void
measure_pairs(struct measure *m, struct slice lp)
{
    const uint8_t *p = slice_bytes(lp) + LP_HEADER_BYTES;

    while (*p != LP_END) {
        uint64_t field = take_next(&p);

        add(m, field + take_next(&p));
    }
}

void
measure_scored(struct measure *m, struct slice lp)
{
    const uint8_t *p = slice_bytes(lp) + LP_HEADER_BYTES;

    while (*p != LP_END) {
        add(m, take_next(&p));
        take_next(&p);
    }
}

/* ---- lists ---- */

/* push: an element that a server pushes, one by one, since it stands alone in the file. */
static void
push(struct measure *m, struct slice element)
{
    uint64_t bytes = element.ptr != NULL && element.len <= MEASURE_INT_TEXT
                         ? lp_entry_bytes(element.ptr, element.len)
                         : element.len + LP_ENTRY_MORE_BYTES;

    if (m->nodes > 0 && m->node_bytes + element.len + LIST_NODE_SPARE_BYTES > LIST_NODE_BYTES)
        m->nodes++;
    if (m->nodes == 0) {
        m->nodes = 1;
        m->node_bytes = LP_EMPTY_BYTES;
    }
    if (m->nodes == 1)
        m->node_bytes += bytes;
}

void
measure_list_ziplist(struct measure *m)
{
    m->is_node_begun = true; /* a node, if an element follows: servers pass empty ones over */
}

/* gather: an element of a ziplist, which becomes a listpack. */
static void
gather(struct measure *m, struct slice element)
{
    if (m->nodes == 0 || m->is_node_begun) {
        m->nodes++;
        m->node_bytes = LP_EMPTY_BYTES;
        m->is_node_begun = false;
    }
    m->node_bytes += lp_entry_bytes(element.ptr, element.len);
}

void
measure_list_element(struct measure *m, struct slice element)
{
    add(m, element.len);
    if (m->facts.key->type == RDB_TYPE_LIST_QUICKLIST_2)
        m->has_plain_node = true;
    else if (m->facts.key->type == RDB_TYPE_LIST)
        push(m, element);
    else
        gather(m, element);
}

void
measure_list_listpack(struct measure *m, struct slice lp)
{
    m->nodes++;
    m->node_bytes = lp.len;
    measure_members(m, lp);
}

static enum key_encoding
list_encoding(const struct measure *m)
{
    return m->nodes <= 1 && !m->has_plain_node && m->node_bytes <= LIST_NODE_BYTES ? KEY_LISTPACK
                                                                                   : KEY_QUICKLIST;
}

/* ---- hashes ---- */

void
measure_hash_field(struct measure *m, struct slice field, struct slice value)
{
    add(m, field.len + value.len);
    see(m, field.len);
    see(m, value.len);
}

/* is_strict: a form whose elements a server measures one by one, when it loads it; of the others it
 * takes the size of the largest for granted. */
static bool
is_strict(uint8_t type)
{
    return type == RDB_TYPE_HASH || type == RDB_TYPE_HASH_ZIPMAP || type == RDB_TYPE_SET ||
           type == RDB_TYPE_ZSET || type == RDB_TYPE_ZSET_2 || type == RDB_TYPE_HASH_EXPIRES ||
           type == RDB_TYPE_HASH_EXPIRES_RC;
}

static enum key_encoding
hash_encoding(const struct measure *m)
{
    uint8_t type = m->facts.key->type;

    if (m->facts.elements > HASH_ENTRIES || (m->longest > SMALL_BYTES && is_strict(type)))
        return KEY_HASHTABLE;
    if (m->facts.expiring_fields == 0)
        return KEY_LISTPACK;
    return type == RDB_TYPE_HASH_EXPIRES_VALKEY ? KEY_HASHTABLE /* it has no small form for these */
                                                : KEY_LISTPACKEX;
}

/* ---- sets ---- */

void
measure_member(struct measure *m, struct slice member)
{
    add(m, member.len);
    see(m, member.len);
    m->all_ints = m->all_ints && is_int(member.ptr, member.len);
}

void
measure_intset(struct measure *m, struct slice intset, uint32_t members)
{
    for (uint32_t i = 0; i < members; i++)
        add(m, digits(intset_get(slice_bytes(intset), i)));
}

static enum key_encoding
set_encoding_of(const struct measure *m)
{
    uint64_t members = m->facts.elements;

    switch (m->facts.key->type) {
    case RDB_TYPE_SET_INTSET:
        return members <= SET_INTS ? KEY_INTSET : KEY_HASHTABLE;
    case RDB_TYPE_SET_LISTPACK:
        return members <= SET_ENTRIES ? KEY_LISTPACK : KEY_HASHTABLE;
    default:
        if (m->all_ints && members <= SET_INTS)
            return KEY_INTSET;
        return members <= SET_ENTRIES && m->longest <= SMALL_BYTES ? KEY_LISTPACK : KEY_HASHTABLE;
    }
}

/* ---- sorted sets ---- */

void
measure_zset_member(struct measure *m, struct slice member)
{
    add(m, member.len);
    see(m, member.len);
}

static enum key_encoding
zset_encoding(const struct measure *m)
{
    return m->facts.elements <= ZSET_ENTRIES &&
                   (m->longest <= SMALL_BYTES || !is_strict(m->facts.key->type))
               ? KEY_LISTPACK
               : KEY_SKIPLIST;
}

/* ---- streams ---- */

/* measure_entry: of the fields and values of an entry that lives. */
static void
measure_entry(struct measure *m, const struct stream_item *item)
{
    struct stream_pairs pairs = stream_item_pairs(item);
    struct lp_elem field, value;
    uint64_t bytes = 0;

    while (stream_pairs_next(&pairs, &field, &value))
        bytes += text_bytes(&field) + text_bytes(&value);
    add(m, bytes);
}

void
measure_stream_node(struct measure *m, struct stream_id id, struct slice lp)
{
    struct stream_item item;
    struct stream_node node;

    stream_node_open(&node, slice_bytes(lp), id);
    for (uint32_t at = node.items_at; at != 0; at = stream_item_next(&item)) {
        stream_item_read(&node, at, &item);
        if ((item.flags & STREAM_ITEM_DELETED) == 0)
            measure_entry(m, &item);
    }
}

static enum key_encoding
encoding_of(const struct measure *m)
{
    switch (m->facts.key->kind) {
    case RDB_VALUE_STRING:
        return string_encoding(m->facts.value_bytes, is_int(m->text, m->text_len));
    case RDB_VALUE_LIST:
        return list_encoding(m);
    case RDB_VALUE_HASH:
        return hash_encoding(m);
    case RDB_VALUE_SET:
        return set_encoding_of(m);
    case RDB_VALUE_ZSET:
        return zset_encoding(m);
    case RDB_VALUE_STREAM:
    case RDB_VALUE_COUNT:
        break;
    }
    return KEY_STREAM;
}

void
measure_end(struct measure *m, uint64_t end)
{
    m->facts.record_bytes = end - m->facts.key->begin;
    set_encoding(&m->facts, encoding_of(m));
}
