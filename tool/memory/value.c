/* tool/memory/value.c - add up what a value needs. */
#include "tool/memory/value.h"

#include <string.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/real.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb.h"

enum { INT_TEXT_MOST = 20, INTSET_MOST = 8, EXPIRING_FIELD = 24, EXPIRING_HASH = 40 };

static uint64_t
block(const struct memory_value *v, uint64_t bytes)
{
    return memory_block(&v->rules, bytes);
}

static void
begin(struct memory_value *v)
{
    v->packed = (struct slice){0};
    v->text_bytes = v->packed_bytes = v->node_bytes = v->open_bytes = v->open_elements = 0;
    v->integer_bytes = 2;
    v->stream_bytes = 0;
    v->nodes.keys = v->nodes.bytes = v->nodes.depths = 0;
    v->pending.keys = v->pending.bytes = v->pending.depths = 0;
    v->has_group = v->has_consumer = v->is_intset = false;
}

/* entry_bytes: of a listpack's entry.  Whose bytes were not given counts as text. */
static uint64_t
entry_bytes(struct slice s)
{
    uint64_t head = s.len < 64 ? 1 : s.len < 4096 ? 2 : 5, n = head + s.len;

    if (s.ptr != NULL && s.len <= INT_TEXT_MOST)
        return lp_entry_bytes(s.ptr, s.len);
    return n + (n < 128 ? 1 : n < 16384 ? 2 : n < 2097152 ? 3 : n < 268435456 ? 4 : 5);
}

static void
add(struct memory_value *v, struct slice element)
{
    v->text_bytes += memory_text(&v->rules, element.len);
    v->packed_bytes += entry_bytes(element);
}

/* ---- lists ---- */

static void
close_node(struct memory_value *v)
{
    if (v->open_elements == 0)
        return;
    v->node_bytes += block(v, MEMORY_LIST_NODE) + block(v, LP_EMPTY_BYTES + v->open_bytes);
    v->open_bytes = v->open_elements = 0;
}

/* push: into the node at the end, if there is room. */
static void
push(struct memory_value *v, uint64_t bytes)
{
    enum { ROOM = LP_EMPTY_BYTES + 8 };

    if (v->open_bytes + bytes + ROOM > MEMORY_LIST_NODE_MOST)
        close_node(v);
    v->open_bytes += bytes;
    v->open_elements++;
    v->packed_bytes += bytes;
}

/* on_list_element: it stands alone in the file, and so is pushed; but as the node that it is among
 * listpacks. */
static int
on_list_element(void *ctx, struct slice element)
{
    struct memory_value *v = ctx;

    if (v->key.type == RDB_TYPE_LIST_QUICKLIST_2)
        v->node_bytes += block(v, MEMORY_LIST_NODE) + block(v, element.len);
    else
        push(v, entry_bytes(element));
    measure_list_element(&v->measure, element);
    return 0;
}

static int
on_list_listpack(void *ctx, struct slice lp, uint32_t elements)
{
    struct memory_value *v = ctx;

    (void)elements;
    close_node(v);
    v->node_bytes += block(v, MEMORY_LIST_NODE) + block(v, lp.len);
    v->packed_bytes += lp.len - LP_EMPTY_BYTES;
    measure_list_listpack(&v->measure, lp);
    return 0;
}

/* ---- hashes, sets, sorted sets ---- */

static void
keep_packed(struct memory_value *v, struct slice lp)
{
    v->packed = lp;
    v->packed_bytes = lp.len - LP_EMPTY_BYTES;
}

static int
on_hash_listpack(void *ctx, struct slice lp, uint32_t fields)
{
    struct memory_value *v = ctx;

    (void)fields;
    keep_packed(v, lp);
    measure_pairs(&v->measure, lp);
    return 0;
}

static int
on_set_listpack(void *ctx, struct slice lp, uint32_t members)
{
    struct memory_value *v = ctx;

    (void)members;
    keep_packed(v, lp);
    measure_members(&v->measure, lp);
    return 0;
}

static int
on_zset_listpack(void *ctx, struct slice lp, uint32_t members)
{
    struct memory_value *v = ctx;

    (void)members;
    keep_packed(v, lp);
    measure_scored(&v->measure, lp);
    return 0;
}

static int
on_intset(void *ctx, struct slice intset, uint32_t members)
{
    struct memory_value *v = ctx;

    v->packed = intset;
    v->is_intset = true;
    measure_intset(&v->measure, intset, members);
    return 0;
}

static int
on_hash_field(void *ctx, struct slice field, struct slice value)
{
    struct memory_value *v = ctx;

    add(v, field);
    add(v, value);
    measure_hash_field(&v->measure, field, value);
    return 0;
}

/* on_expiring_field: its listpack has the time, too, behind the value: 8 bytes in an entry. */
static int
on_expiring_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct memory_value *v = ctx;

    v->packed_bytes += expire_at_ms >= 0 ? 10 : 2;
    v->measure.facts.expiring_fields++;
    return on_hash_field(ctx, field, value);
}

static int
on_set_member(void *ctx, struct slice member)
{
    struct memory_value *v = ctx;
    int64_t n;

    add(v, member);
    measure_member(&v->measure, member);
    if (v->integer_bytes < INTSET_MOST && member.len <= INT_TEXT_MOST &&
        num_parse(member.ptr, member.len, &n) && intset_width_of(n) > v->integer_bytes)
        v->integer_bytes = intset_width_of(n);
    return 0;
}

/* score_bytes: of a listpack's entry: an integer, or a text. */
static uint64_t
score_bytes(double score)
{
    char text[REAL_BYTES];

    return lp_entry_bytes(text, real_print(score, text));
}

/* on_zset_member: beyond some members it is no listpack, and scores need not be printed. */
static int
on_zset_member(void *ctx, struct slice member, double score)
{
    enum { LISTPACK_MOST = 128 };
    struct memory_value *v = ctx;

    measure_zset_member(&v->measure, member);
    v->text_bytes += memory_text(&v->rules, member.len);
    if (v->measure.facts.elements <= LISTPACK_MOST)
        v->packed_bytes += entry_bytes(member) + score_bytes(score);
    return 0;
}

/* unpack: what the elements of the one listpack or intset take when each stands alone: every
 * `step`th entry is one. */
static void
unpack(struct memory_value *v, unsigned step)
{
    char scratch[LP_INT_TEXT_BYTES];
    const uint8_t *at = slice_bytes(v->packed);
    unsigned n = 0;

    if (at == NULL)
        return;
    if (v->is_intset) {
        for (uint32_t i = 0; i < intset_count(at); i++)
            v->text_bytes +=
                memory_text(&v->rules, (uint64_t)num_print(scratch, intset_get(at, i)));
        return;
    }
    for (uint32_t entry = lp_first(at); entry != 0; entry = lp_next(at, entry))
        if (n++ % step == 0)
            v->text_bytes += memory_text(&v->rules, lp_slice(at, entry, scratch).len);
}

/* ---- streams ---- */

static int
on_stream_node(void *ctx, struct stream_id id, struct slice lp, const struct stream_node_sum *sum)
{
    struct memory_value *v = ctx;

    (void)sum;
    measure_stream_node(&v->measure, id, lp);
    v->stream_bytes += block(v, lp.len);
    memory_radix_add(&v->nodes, &v->rules, id);
    return 0;
}

/* close_consumer: what is pending is in two trees: its own, and its group's, which is taken for as
 * large as those of its consumers together. */
static void
close_consumer(struct memory_value *v)
{
    uint64_t own;

    if (!v->has_consumer)
        return;
    own = memory_radix_end(&v->pending, &v->rules);
    v->stream_bytes += own + own - memory_radix_end(&v->pending, &v->rules);
    v->has_consumer = false;
}

static int
on_stream_group(void *ctx, const struct rdb_stream_group *group)
{
    struct memory_value *v = ctx;

    close_consumer(v);
    v->has_group = true;
    /* with a tree of what is pending, and one of its consumers, both empty so far */
    v->stream_bytes += block(v, MEMORY_STREAM_GROUP) +
                       memory_radix_leaf(&v->rules, group->name.len) +
                       2 * memory_radix_end(&v->pending, &v->rules);
    return 0;
}

static int
on_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct memory_value *v = ctx;

    (void)seen_ms;
    (void)active_ms;
    close_consumer(v);
    v->has_consumer = true;
    v->stream_bytes += block(v, v->rules.is_7_0 ? 24 : 32) + memory_text(&v->rules, name.len) +
                       memory_radix_leaf(&v->rules, name.len);
    return 0;
}

static int
on_stream_pending(void *ctx, const struct rdb_stream_pending *pending)
{
    struct memory_value *v = ctx;

    v->stream_bytes += block(v, MEMORY_STREAM_PENDING);
    memory_radix_add(&v->pending, &v->rules, pending->id);
    return 0;
}

static uint64_t
stream_bytes(struct memory_value *v)
{
    uint64_t groups;

    close_consumer(v);
    groups = v->has_group ? memory_radix_end(&v->pending, &v->rules) : 0; /* an empty tree's */
    return block(v, MEMORY_STREAM) + groups + v->stream_bytes +
           memory_radix_end(&v->nodes, &v->rules);
}

/* ---- what it all takes ---- */

/* table_bytes: entries: what those take. */
static uint64_t
table_bytes(const struct memory_value *v, uint64_t elements, uint64_t entries)
{
    return block(v, MEMORY_TABLE) + block(v, MEMORY_SLOT * memory_slots(elements)) + entries;
}

/* set_entries: from 7.2 on a member is in its slot itself, if no other is; entries are only for the
 * others.  Members find slots by chance. */
static uint64_t
set_entries(const struct memory_value *v, uint64_t members)
{
    double slots = (double)memory_slots(members), empty = 1 - 1 / slots, free_slots = slots;

    if (v->rules.is_7_0)
        return members * memory_entry(&v->rules);
    for (uint64_t n = members; n > 0; n >>= 1, empty *= empty)
        if (n & 1)
            free_slots *= empty;
    return (uint64_t)((double)members - (slots - free_slots)) * block(v, MEMORY_ENTRY_ALONE);
}

static uint64_t
skiplist_bytes(const struct memory_value *v, uint64_t members)
{
    return block(v, MEMORY_ZSET) + block(v, MEMORY_SKIPLIST) +
           block(v, MEMORY_SKIPLIST_NODE + MEMORY_SKIPLIST_LEVELS * MEMORY_SKIPLIST_LEVEL) +
           table_bytes(v, members, members * memory_entry(&v->rules)) + v->text_bytes +
           members * v->level_sizes / 1024;
}

static uint64_t
hash_table_bytes(const struct memory_value *v, const struct key_facts *f)
{
    return table_bytes(v, f->elements, f->elements * memory_entry(&v->rules)) + v->text_bytes +
           (f->expiring_fields > 0 ? EXPIRING_HASH + f->expiring_fields * EXPIRING_FIELD : 0);
}

static uint64_t
packed_bytes(const struct memory_value *v)
{
    return block(v, LP_EMPTY_BYTES + v->packed_bytes);
}

static uint64_t
list_bytes(struct memory_value *v, const char *encoding)
{
    close_node(v);
    return strcmp(encoding, "quicklist") == 0 ? block(v, MEMORY_LIST) + v->node_bytes
                                              : packed_bytes(v);
}

static uint64_t
hash_bytes(struct memory_value *v, const struct key_facts *f, const char *encoding)
{
    if (strcmp(encoding, "hashtable") == 0) {
        unpack(v, 1);
        return hash_table_bytes(v, f);
    }
    return packed_bytes(v) + (strcmp(encoding, "listpackex") == 0 ? EXPIRING_HASH : 0);
}

static uint64_t
set_bytes(struct memory_value *v, const struct key_facts *f, const char *encoding)
{
    if (strcmp(encoding, "intset") == 0)
        return block(v, v->packed.ptr != NULL ? v->packed.len
                                              : intset_bytes(v->integer_bytes, f->elements));
    if (strcmp(encoding, "listpack") == 0)
        return packed_bytes(v);
    unpack(v, 1);
    return table_bytes(v, f->elements, set_entries(v, f->elements)) + v->text_bytes;
}

static uint64_t
zset_bytes(struct memory_value *v, const struct key_facts *f, const char *encoding)
{
    if (strcmp(encoding, "skiplist") != 0)
        return packed_bytes(v);
    unpack(v, 2);
    return skiplist_bytes(v, f->elements);
}

static uint64_t
string_bytes(const struct memory_value *v, const struct key_facts *f)
{
    switch (f->encoding[0]) {
    case 'i':
        return block(v, MEMORY_OBJECT);
    case 'e':
        return block(v, MEMORY_EMBSTR_HEAD + f->value_bytes + 1);
    default:
        return block(v, MEMORY_OBJECT) + memory_text(&v->rules, f->value_bytes);
    }
}

/* encoding_of: what the server has of which the rules are. */
static const char *
encoding_of(const struct memory_value *v, const struct key_facts *f)
{
    if (v->rules.is_7_0 && strcmp(f->encoding, "listpack") == 0) {
        if (f->key->kind == RDB_VALUE_SET)
            return "hashtable";
        if (f->key->kind == RDB_VALUE_LIST)
            return "quicklist";
    }
    return f->encoding;
}

static uint64_t
value_bytes(struct memory_value *v, const struct key_facts *f, const char *encoding)
{
    uint64_t object = block(v, MEMORY_OBJECT);

    switch (f->key->kind) {
    case RDB_VALUE_STRING:
        return string_bytes(v, f);
    case RDB_VALUE_LIST:
        return object + list_bytes(v, encoding);
    case RDB_VALUE_HASH:
        return object + hash_bytes(v, f, encoding);
    case RDB_VALUE_SET:
        return object + set_bytes(v, f, encoding);
    case RDB_VALUE_ZSET:
        return object + zset_bytes(v, f, encoding);
    case RDB_VALUE_STREAM:
        return object + stream_bytes(v);
    case RDB_VALUE_COUNT:
        break;
    }
    never("a kind that is none");
}

/* ---- a key ---- */

static int
tell(struct memory_value *v)
{
    const struct key_facts *f = &v->measure.facts;
    uint64_t entry = memory_entry(&v->rules);
    struct memory_key k = {.facts = f,
                           .encoding =
                               f->key->kind == RDB_VALUE_STRING ? f->encoding : encoding_of(v, f),
                           .memory = memory_text(&v->rules, f->key->name.len) + entry};

    k.memory += value_bytes(v, f, k.encoding) + (f->key->expire_at_ms != -1 ? entry : 0);
    return v->tell(v, &k);
}

static int
on_key(void *ctx, const struct rdb_key *key)
{
    struct memory_value *v = ctx;

    v->key = *key;
    measure_begin(&v->measure, &v->key);
    if (key->kind != RDB_VALUE_STRING)
        begin(v);
    return 0;
}

static int
on_plain_string(void *ctx, const struct rdb_key *key, struct slice value)
{
    struct memory_value *v = ctx;

    measure_plain(&v->measure, key, value, walk_offset(&v->walk));
    return tell(v);
}

static int
on_string_begin(void *ctx, uint64_t len)
{
    struct memory_value *v = ctx;

    return measure_string_begin(&v->measure, len);
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct memory_value *v = ctx;

    measure_string_bytes(&v->measure, piece);
    return 0;
}

/* on_value_end: what has no elements is loaded by nobody, but for a stream. */
static int
on_value_end(void *ctx)
{
    struct memory_value *v = ctx;

    measure_end(&v->measure, walk_offset(&v->walk));
    return v->measure.facts.elements > 0 || v->key.kind == RDB_VALUE_STREAM ? tell(v) : 0;
}

struct rdb_events
memory_value_events(void)
{
    return (struct rdb_events){.no_values = true,
                               .key = on_key,
                               .plain_string = on_plain_string,
                               .string_begin = on_string_begin,
                               .string_bytes = on_string_bytes,
                               .list_element = on_list_element,
                               .list_listpack = on_list_listpack,
                               .hash_listpack = on_hash_listpack,
                               .hash_field = on_hash_field,
                               .hash_field_expiring = on_expiring_field,
                               .set_intset = on_intset,
                               .set_listpack = on_set_listpack,
                               .set_member = on_set_member,
                               .zset_listpack = on_zset_listpack,
                               .zset_member = on_zset_member,
                               .stream_node = on_stream_node,
                               .stream_group = on_stream_group,
                               .stream_consumer = on_stream_consumer,
                               .stream_pending = on_stream_pending,
                               .value_end = on_value_end};
}

void
memory_value_init(struct memory_value *v, const struct tool_options *o,
                  int (*tell_key)(void *ctx, const struct memory_key *key))
{
    double share = 0.75, mean = 0; /* a level more has every fourth node */

    v->rules.quantum = strcmp(o->allocator, "system") == 0 ? 16 : 8;
    v->rules.is_7_0 = strcmp(o->redis, "7.0") == 0;
    v->tell = tell_key;
    for (unsigned levels = 1; levels <= MEMORY_SKIPLIST_LEVELS; levels++, share /= 4)
        mean += share * (double)block(v, MEMORY_SKIPLIST_NODE + levels * MEMORY_SKIPLIST_LEVEL);
    v->level_sizes = (uint64_t)(mean * 1024);
}

uint64_t
memory_tables(const struct memory_rules *rules, uint64_t keys, uint64_t expiring)
{
    return (keys == 0 ? 0 : memory_block(rules, MEMORY_SLOT * memory_slots(keys))) +
           (expiring == 0 ? 0 : memory_block(rules, MEMORY_SLOT * memory_slots(expiring)));
}
