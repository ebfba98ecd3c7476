/* server/data/list/list_node.c - one node of a large list: a block with entries and room around
 * them. */
#include <string.h>

#include "mm/mm.h"
#include "server/data/list/list_impl.h"

enum {
    HEADER_BYTES = sizeof(struct list_node),
    LEAST_BLOCK_BYTES = 512,
    SAFE_BYTES = 8192, /* where list-max-listpack-size counts entries, this bounds their bytes */
    WORST_SIZE = -5    /* 64 KiB */
};

struct list_limits list_limits = {.listpack_size = -2};
uint64_t list_packed_threshold;

/* node_limit_bytes: what list-max-listpack-size says of bytes. */
static uint64_t
limit_bytes(int64_t size)
{
    return size >= 0 ? SAFE_BYTES : (uint64_t)2048 << (size < WORST_SIZE ? -WORST_SIZE : -size);
}

struct list_limit
list_limit(void)
{
    int64_t size = list_limits.listpack_size;

    return (struct list_limit){.block_bytes = limit_bytes(size),
                               .count = size > 0    ? (uint64_t)size
                                        : size == 0 ? 1
                                                    : UINT32_MAX};
}

void
list_item_init(struct list_item *it, struct slice text, const struct list_limit *limit)
{
    uint64_t most = list_packed_threshold > 0 ? list_packed_threshold - 1 : limit->block_bytes;

    it->text = text;
    it->plain = text.len > most || text.len > INT32_MAX;
    it->size = text.len;
    if (it->plain)
        return;
    lp_entry_make(&it->entry, text.ptr, text.len);
    it->size = it->entry.size;
    if (list_packed_threshold == 0 && it->size > limit->block_bytes - HEADER_BYTES) {
        it->plain = true;
        it->size = text.len;
    }
}

static void
put_item(uint8_t *dst, const struct list_item *it)
{
    must(it != NULL);
    if (it->plain)
        memcpy(dst, it->text.ptr, it->text.len);
    else
        lp_entry_put(dst, &it->entry);
}

/* block_bytes: of a node with so much in it and so much room: a power of two, but no more than
 * needs be beyond the limit. */
static uint64_t
block_bytes(uint64_t used, uint64_t room)
{
    uint64_t most = list_limit().block_bytes, block = LEAST_BLOCK_BYTES;

    while (block < HEADER_BYTES + used + room)
        block *= 2;
    if (block > most)
        block = HEADER_BYTES + used < most ? most : HEADER_BYTES + used;
    return block;
}

const struct list_node *
list_node_make(const struct list_parts *parts)
{
    uint64_t size = parts->item != NULL ? parts->item->size : 0,
             used = parts->left.len + size + parts->right.len, gap;
    bool plain = parts->item != NULL && parts->item->plain;
    struct list_node *n =
        mm_alloc(MM_VALUE, plain ? HEADER_BYTES + used : block_bytes(used, parts->room));
    uint8_t *p;

    if (n == NULL)
        return NULL;
    gap = plain ? 0 : mm_usable(n) - HEADER_BYTES - used;
    if (parts->gap != GAP_FRONT)
        gap = parts->gap == GAP_BACK ? 0 : gap / 2;
    *n = (struct list_node){.begin = HEADER_BYTES + gap,
                            .end = HEADER_BYTES + gap + used,
                            .count = parts->count,
                            .plain = plain};
    p = (uint8_t *)n + n->begin;
    if (parts->left.len > 0)
        memcpy(p, parts->left.ptr, parts->left.len);
    if (size > 0)
        put_item(p + parts->left.len, parts->item);
    if (parts->right.len > 0)
        memcpy(p + parts->left.len + size, parts->right.ptr, parts->right.len);
    return n;
}

const struct list_node *
list_node_copy(const struct list_node *n)
{
    struct list_parts parts = {.left = {(const char *)list_node_begin(n), list_node_used(n)},
                               .count = n->count,
                               .gap = n->begin > HEADER_BYTES ? GAP_FRONT : GAP_BACK};
    struct list_item it = {.text = parts.left, .plain = true, .size = list_node_used(n)};

    if (n->plain != 0) {
        parts.item = &it;
        parts.left.len = 0;
    }
    return list_node_make(&parts);
}

bool
list_node_takes(const struct list_node *n, const struct list_item *it,
                const struct list_limit *limit)
{
    return n->plain == 0 && !it->plain && n->count < limit->count &&
           list_node_used(n) + it->size <= limit->block_bytes - HEADER_BYTES;
}

const uint8_t *
list_node_entry(const struct list_node *n, uint64_t i)
{
    const uint8_t *p = list_node_begin(n);

    if (i > n->count / 2) {
        p = list_node_end(n);
        for (uint64_t back = n->count - i; back > 0; back--)
            p = lp_entry_before(p);
        return p;
    }
    for (; i > 0; i--)
        p += lp_entry_size(p);
    return p;
}

uint64_t
list_node_room(const struct list_node *n, enum list_side side)
{
    return side == LIST_HEAD ? n->begin - HEADER_BYTES : mm_usable(n) - n->end;
}

/* set_header: the one place where a node that is in use gets other bounds. */
static void
set_header(const struct list_node *n, uint64_t begin, uint64_t end, uint32_t count)
{
    struct list_node *w = mm_modify(n, sizeof *n);

    w->begin = begin;
    w->end = end;
    w->count = count;
}

void
list_node_push(const struct list_node *n, enum list_side side, const struct list_item *it)
{
    uint64_t begin = side == LIST_HEAD ? n->begin - it->size : n->begin,
             end = side == LIST_HEAD ? n->end : n->end + it->size;
    const uint8_t *p = (const uint8_t *)n + (side == LIST_HEAD ? begin : n->end);

    put_item(mm_modify(p, it->size), it);
    set_header(n, begin, end, n->count + 1);
}

void
list_node_pop(const struct list_node *n, enum list_side side, uint64_t elements)
{
    uint64_t at;

    debug_check(n->plain == 0 && elements < n->count);
    at = (uint64_t)(list_node_entry(n, side == LIST_HEAD ? elements : n->count - elements) -
                    (const uint8_t *)n);
    if (side == LIST_HEAD)
        set_header(n, at, n->end, n->count - (uint32_t)elements);
    else
        set_header(n, n->begin, at, n->count - (uint32_t)elements);
}

bool
list_node_splice(const struct list_node *n, const uint8_t *p, uint64_t old_bytes,
                 const struct list_item *item)
{
    uint64_t size = item != NULL ? item->size : 0, left = (uint64_t)(p - list_node_begin(n)),
             right = list_node_used(n) - left - old_bytes;
    uint64_t more = size - old_bytes; /* it may wrap: "less" */
    bool grows = size > old_bytes, front = !grows || more <= list_node_room(n, LIST_HEAD),
         back = !grows || more <= list_node_room(n, LIST_TAIL);
    uint32_t count = n->count + (item != NULL) - (old_bytes > 0);
    uint8_t *w;

    if (!front && !back)
        return false;
    if (more == 0) {
        put_item(mm_modify(p, size), item);
        return true;
    }
    if (front && (left < right || !back)) { /* what is before it moves */
        uint64_t begin = n->begin - more;

        w = mm_modify((const uint8_t *)n + (grows ? begin : n->begin),
                      left + (grows ? size : old_bytes));
        w += grows ? 0 : old_bytes - size;
        memmove(w, list_node_begin(n), left);
        if (item != NULL)
            put_item(w + left, item);
        set_header(n, begin, n->end, count);
    } else {
        w = mm_modify(p, right + (grows ? size : old_bytes));
        memmove(w + size, p + old_bytes, right);
        if (item != NULL)
            put_item(w, item);
        set_header(n, n->begin, n->end + more, count);
    }
    return true;
}

/* is_needle: of a plain node. */
static bool
is_needle(const struct list_node *n, const struct lp_needle *needle)
{
    return list_node_used(n) == needle->len &&
           memcmp(list_node_begin(n), needle->bytes, needle->len) == 0;
}

uint64_t
list_node_matches(const struct list_node *n, const struct lp_needle *needle)
{
    uint64_t count = 0;

    if (n->plain != 0)
        return is_needle(n, needle);
    for (const uint8_t *p = list_node_begin(n), *end = list_node_end(n); p < end;
         p += lp_entry_size(p))
        count += lp_entry_matches(p, needle);
    return count;
}

void
list_node_remove_matches(const struct list_node *n, const struct lp_needle *needle, uint64_t skip,
                         uint64_t take)
{
    const uint8_t *p = list_node_begin(n), *end = list_node_end(n), *next;
    uint64_t removed = 0;
    uint8_t *w;

    while (!lp_entry_matches(p, needle) || skip-- > 0)
        p += lp_entry_size(p);
    w = mm_modify(p, (uint64_t)(end - p)); /* what follows the first one moves */
    for (; p < end; p = next) {
        next = p + lp_entry_size(p);
        if (removed < take && lp_entry_matches(p, needle)) {
            removed++;
            continue;
        }
        memmove(w, p, (size_t)(next - p));
        w += next - p;
    }
    set_header(n, n->begin, n->end - (uint64_t)(end - w), n->count - (uint32_t)removed);
}
