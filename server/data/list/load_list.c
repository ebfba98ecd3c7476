/* server/data/list/load_list.c - from RDB to lists: a listpack up to the limits, nodes beyond.
 *
 * Elements are collected as the entries of a listpack in s->bytes; when these are more than the
 * record or the limits allow, they become the first node, and the rest is added to it. */
#include <errno.h>

#include "mm/base/le.h"
#include "server/data/db/load_value.h"
#include "server/data/list/list_impl.h"
#include "server/data/list/list_small.h"
#include "server/data/list/load_list.h"

enum { END = 0xff };

static const struct list_root *
root(const struct load_state *s)
{
    return s->form == LOAD_ROOT ? s->value.root : NULL;
}

int
load_list_begin(void *ctx)
{
    static const uint8_t empty[LP_EMPTY_BYTES] = {LP_EMPTY_BYTES, 0, 0, 0, 0, 0, END};
    struct load_state *s = ctx;

    if (s->skip)
        return 0;
    load_begin_blob(s, TYPE_LIST);
    return load_add(&s->bytes, empty, sizeof empty);
}

static uint32_t
collected(const struct load_state *s)
{
    return lp_count((const uint8_t *)s->bytes.at);
}

/* collection: the entries so far. */
static struct slice
collection(const struct load_state *s)
{
    return (struct slice){s->bytes.at + LP_HEADER_BYTES, s->bytes.len - LP_EMPTY_BYTES};
}

/* is_beyond: would the list with so much more be large? */
static bool
is_beyond(const struct load_state *s, uint64_t elements, uint64_t entries)
{
    struct list_limit limit = list_limit();
    uint64_t bytes = s->bytes.len + entries;

    return collected(s) + elements > limit.count || bytes > limit.block_bytes ||
           !list_small_fits(s->key.len, bytes - LP_EMPTY_BYTES);
}

/* add_entries: to what is collected. */
static int
add_entries(struct load_state *s, struct slice entries, uint64_t count)
{
    uint64_t all = collected(s) + count;
    uint8_t *lp;

    s->bytes.len--; /* the end mark */
    if (load_add(&s->bytes, entries.ptr, entries.len) < 0 || load_add(&s->bytes, "\377", 1) < 0)
        return -ENOMEM;
    lp = (uint8_t *)s->bytes.at;
    le_store(lp, s->bytes.len, 4);
    le_store(lp + 4, all, 2);
    return 0;
}

/* grow: what was collected, and one word more, is a large list. */
static int
grow(struct load_state *s, struct slice word)
{
    struct list_limit limit = list_limit();
    struct list_item it;
    int r;

    if (collected(s) == 0) {
        list_item_init(&it, word, &limit);
        return load_begin_root(s, TYPE_LIST, list_root_of_item(&it));
    }
    if ((r = load_begin_root(s, TYPE_LIST, list_root_from(collection(s)))) < 0)
        return r;
    return list_root_push(root(s), LIST_TAIL, word);
}

int
load_list_element(void *ctx, struct slice word)
{
    struct load_state *s = ctx;
    uint8_t entry[RECORD_INLINE_MAX + 16];
    struct lp_entry e;

    if (s->skip)
        return 0;
    if (root(s) != NULL)
        return list_root_push(root(s), LIST_TAIL, word);
    if (word.len > RECORD_INLINE_MAX || is_beyond(s, 1, lp_entry_bytes(word.ptr, word.len)))
        return grow(s, word);
    lp_entry_make(&e, word.ptr, word.len);
    lp_entry_put(entry, &e);
    return add_entries(s, (struct slice){(const char *)entry, e.size}, 1);
}

static int
on_listpack(void *ctx, struct slice listpack, uint32_t elements)
{
    struct load_state *s = ctx;
    struct slice entries = {listpack.ptr + LP_HEADER_BYTES, listpack.len - LP_EMPTY_BYTES};
    int r;

    if (s->skip)
        return 0;
    if (root(s) == NULL && !is_beyond(s, elements, entries.len))
        return add_entries(s, entries, elements);
    if (root(s) == NULL && collected(s) == 0)
        return load_begin_root(s, TYPE_LIST, list_root_from(entries));
    if (root(s) == NULL && (r = load_begin_root(s, TYPE_LIST, list_root_from(collection(s)))) < 0)
        return r;
    return list_root_append(root(s), entries);
}

int
load_list_end(void *ctx)
{
    struct load_state *s = ctx;
    const struct list_root *l = root(s);

    if (s->skip)
        return 0;
    if (l != NULL)
        list_root_settle(l);
    return 0;
}

void
load_list(struct rdb_events *events)
{
    events->list_begin = load_list_begin;
    events->list_element = load_list_element;
    events->list_listpack = on_listpack;
    events->list_end = load_list_end;
}
