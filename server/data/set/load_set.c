/* server/data/set/load_set.c - from RDB to sets: an intset or listpack up to the limits, a table
 * beyond. */
#include <errno.h>
#include <string.h>

#include "server/data/db/load_value.h"
#include "server/data/set/set.h"
#include "server/data/set/set_type.h"

static int
on_intset(void *ctx, struct slice intset, uint32_t members)
{
    struct set set = {.form = SET_INTS, .blob = slice_bytes(intset), .count = members};
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (!set_ints_are_few(members))
        return load_begin_root(s, TYPE_SET, set_table_of(&set));
    load_view(s, TYPE_SET, intset);
    s->value.intset = true;
    return 0;
}

static int
on_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    struct set set = {.form = SET_LISTPACK, .blob = slice_bytes(listpack), .count = members};
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    if (!set_is_small(members, 0))
        return load_begin_root(s, TYPE_SET, set_table_of(&set));
    load_view(s, TYPE_SET, listpack);
    return 0;
}

static int
on_begin(void *ctx, uint64_t members)
{
    struct load_state *s = ctx;
    int r;

    if (s->skip)
        return 0;
    if (!set_ints_are_few(members)) {
        if ((r = load_begin_root(s, TYPE_SET, mtable_new())) == 0)
            mtable_expect(s->value.root, load_expect(s, members));
        return r;
    }
    if (load_reserve(&s->bytes, INTSET_HEADER_BYTES) < 0)
        return -ENOMEM;
    load_begin_blob(s, TYPE_SET);
    s->bytes.len = intset_init((uint8_t *)s->bytes.at);
    s->value.intset = true;
    return 0;
}

static const char twice[] = "The dump has a set with a member twice";

static int
complain_twice(struct load_state *s)
{
    return load_complain(s, -EEXIST, twice);
}

/* collected: the small set so far. */
static struct set
collected(const struct load_state *s)
{
    const uint8_t *blob = (const uint8_t *)s->bytes.at;

    return s->value.intset
               ? (struct set){.form = SET_INTS, .blob = blob, .count = intset_count(blob)}
               : (struct set){.form = SET_LISTPACK, .blob = blob, .count = lp_count(blob)};
}

static void
warm(const void *root, uint64_t hash)
{
    mtable_warm(root, &hash, 1);
}

static int
enter(const void *root, uint64_t hash, const void *member)
{
    if (mtable_has(root, hash, set_member_text(member)))
        return -EEXIST;
    return mtable_add(root, hash, member) ? 0 : -ENOMEM;
}

static void
drop(const void *member)
{
    set_member_free(member);
}

static int
add_to_table(struct load_state *s, struct slice member)
{
    static const struct load_entry_ops ops = {warm, enter, drop, twice};
    const struct set_member *m = set_member_new(member);

    return m != NULL ? load_entry(s, &ops, mtable_hash(member), m) : -ENOMEM;
}

static int
add_to_ints(struct load_state *s, int64_t v)
{
    const uint8_t *ints = (const uint8_t *)s->bytes.at;
    uint32_t at;

    if (intset_find(ints, v, &at))
        return complain_twice(s);
    if (load_reserve(&s->bytes, intset_bytes(INTSET_WIDTH_MAX, (uint64_t)intset_count(ints) + 1)) <
        0)
        return -ENOMEM;
    s->bytes.len = intset_add((uint8_t *)s->bytes.at, v);
    return 0;
}

/* add_to_listpack: entries that were made here are the same if their bytes are. */
static int
add_to_listpack(struct load_state *s, struct slice member)
{
    uint32_t last = (uint32_t)s->bytes.len - 1, size;
    uint8_t *lp;

    if (load_reserve(&s->bytes, s->bytes.len + member.len + LP_ENTRY_MORE_BYTES) < 0)
        return -ENOMEM;
    lp = (uint8_t *)s->bytes.at;
    s->bytes.len = lp_append(lp, member.ptr, member.len);
    size = (uint32_t)s->bytes.len - 1 - last;
    for (uint32_t at = LP_HEADER_BYTES, n; at < last; at += n) {
        n = lp_entry_size(lp + at);
        if (n == size && memcmp(lp + at, lp + last, size) == 0)
            return complain_twice(s);
    }
    return 0;
}

/* ints_to_listpack: in the same buffer, behind the intset, and then to its front. */
static int
ints_to_listpack(struct load_state *s)
{
    size_t ints = s->bytes.len, bytes;
    uint8_t *at;

    if (load_reserve(&s->bytes, ints + set_listpack_bytes((const uint8_t *)s->bytes.at)) < 0)
        return -ENOMEM;
    at = (uint8_t *)s->bytes.at;
    bytes = set_listpack_of(at, at + ints);
    memmove(at, at + ints, bytes);
    s->bytes.len = bytes;
    s->value.intset = false;
    return 0;
}

/* make_room: the small set so far becomes what may take this member too. */
static int
make_room(struct load_state *s, struct slice member, bool is_int)
{
    struct set set = collected(s);
    size_t longest = member.len;

    if (set.form == SET_INTS && is_int && set_ints_are_few(set.count + 1))
        return 0;
    if (set.form == SET_INTS && set_longest_int(set.blob) > longest)
        longest = set_longest_int(set.blob);
    if (!set_is_small(set.count + 1, longest))
        return load_begin_root(s, TYPE_SET, set_table_of(&set));
    return set.form == SET_INTS ? ints_to_listpack(s) : 0;
}

static int
on_member(void *ctx, struct slice member)
{
    struct load_state *s = ctx;
    int64_t v = 0;
    bool is_int;
    int r;

    if (s->skip)
        return 0;
    is_int = s->form == LOAD_BLOB && s->value.intset && num_parse(member.ptr, member.len, &v);
    if (s->form == LOAD_BLOB && (r = make_room(s, member, is_int)) < 0)
        return r;
    if (s->form != LOAD_BLOB)
        return add_to_table(s, member);
    return s->value.intset ? add_to_ints(s, v) : add_to_listpack(s, member);
}

void
load_set(struct rdb_events *events)
{
    events->set_intset = on_intset;
    events->set_listpack = on_listpack;
    events->set_begin = on_begin;
    events->set_member = on_member;
}
