/* server/data/list/list.c - the list type: which of its two forms a list has, and what both can
 * do. */
#include "server/data/list/list.h"

#include <errno.h>

#include "mm/base/num.h"
#include "server/data/list/list_root_impl.h"
#include "server/data/list/list_small.h"

/* ---- read ---- */

static const struct list_root *
root_of(const struct record *r)
{
    return record_root(r);
}

static bool
is_small(const struct record *r)
{
    return record_encoding(r) != ENC_ROOT;
}

uint64_t
list_len(const struct record *r)
{
    return is_small(r) ? lp_count((const uint8_t *)record_blob(r).ptr) : root_of(r)->count;
}

void
list_shape(const struct record *r, struct list_shape *ret)
{
    const struct list_root *l;

    if (is_small(r)) {
        *ret = (struct list_shape){list_len(r), 1, list_len(r), list_len(r)};
        return;
    }
    l = root_of(r);
    *ret = (struct list_shape){l->count, l->nodes, list_root_end(l, LIST_HEAD)->count,
                               list_root_end(l, LIST_TAIL)->count};
}

struct slice
list_text(const struct list_elem *e, char scratch[LP_INT_TEXT_BYTES])
{
    if (e->ptr != NULL)
        return (struct slice){e->ptr, e->len};
    return (struct slice){scratch, num_print(scratch, e->value)};
}

static void
get_entry(const uint8_t *p, struct list_elem *ret)
{
    struct lp_elem e;

    lp_entry_get(p, &e);
    *ret = (struct list_elem){.ptr = (const char *)e.bytes, .len = e.len, .value = e.value};
}

void
list_get(const struct record *r, uint64_t i, struct list_elem *ret)
{
    struct list_place p;

    debug_check(i < list_len(r));
    if (is_small(r)) {
        get_entry(list_small_entry(r, i), ret);
        return;
    }
    list_root_find(root_of(r), i, &p);
    if (p.node->plain != 0)
        *ret = (struct list_elem){.ptr = (const char *)list_node_begin(p.node),
                                  .len = list_node_used(p.node)};
    else
        get_entry(list_node_entry(p.node, i - p.first), ret);
}

/* run_at: the run of entries that holds element i; *ret_skip: how many of them stand before it. */
static struct list_run
run_at(const struct record *r, uint64_t i, uint64_t *ret_skip)
{
    struct list_place p;
    struct slice all;

    if (is_small(r)) {
        all = list_small_entries(r);
        *ret_skip = i;
        return (struct list_run){(const uint8_t *)all.ptr, (const uint8_t *)all.ptr + all.len,
                                 list_len(r), false};
    }
    list_root_find(root_of(r), i, &p);
    *ret_skip = i - p.first;
    return (struct list_run){list_node_begin(p.node), list_node_end(p.node), p.node->count,
                             p.node->plain != 0};
}

/* entry_of: entry number i of a run, from the nearer end; i may be their number: the end. */
static const uint8_t *
entry_of(const struct list_run *run, uint64_t i)
{
    const uint8_t *p = run->at;

    if (run->plain)
        return i > 0 ? run->end : run->at;
    if (i > run->count / 2) {
        p = run->end;
        for (; i < run->count; i++)
            p = lp_entry_before(p);
        return p;
    }
    for (; i > 0; i--)
        p += lp_entry_size(p);
    return p;
}

void
list_iter_init(struct list_iter *it, const struct record *r, uint64_t i, bool backwards)
{
    *it = (struct list_iter){
        .rec = r, .next = i, .backwards = backwards, .is_over = i >= list_len(r)};
}

/* enter_run: the run that holds the next element. */
static void
enter_run(struct list_iter *it)
{
    uint64_t skip;
    struct list_run run = run_at(it->rec, it->next, &skip);

    it->plain = run.plain;
    it->plain_len = (size_t)(run.end - run.at);
    it->left = it->backwards ? skip + 1 : run.count - skip;
    it->at = run.plain ? run.at : entry_of(&run, it->backwards ? skip + 1 : skip);
}

bool
list_iter_next(struct list_iter *it, struct list_elem *ret)
{
    if (it->is_over)
        return false;
    if (it->left == 0)
        enter_run(it);
    if (it->plain) {
        *ret = (struct list_elem){.ptr = (const char *)it->at, .len = it->plain_len};
    } else if (it->backwards) {
        it->at = lp_entry_before(it->at);
        get_entry(it->at, ret);
    } else {
        get_entry(it->at, ret);
        it->at += lp_entry_size(it->at);
    }
    it->left--;
    it->is_over = it->backwards ? it->next == 0 : it->next + 1 == list_len(it->rec);
    it->next += it->backwards ? UINT64_MAX : 1;
    return true;
}

void
list_runs(const struct record *r, uint64_t first, uint64_t count,
          void (*visit)(void *ctx, const struct list_run *run), void *ctx)
{
    while (count > 0) {
        uint64_t skip;
        struct list_run run = run_at(r, first, &skip);
        const uint8_t *at = entry_of(&run, skip), *end = run.end;

        run.count -= skip;
        if (run.count > count) {
            struct list_run rest = {at, run.end, run.count, run.plain};

            end = entry_of(&rest, count);
            run.count = count;
        }
        visit(ctx, &(struct list_run){at, end, run.count, run.plain});
        first += run.count;
        count -= run.count;
    }
}

/* ---- forms ---- */

/* is_beyond: would Redis call a list of so many elements and bytes (in a listpack) a quicklist? */
static bool
is_beyond(uint64_t count, uint64_t bytes)
{
    struct list_limit limit = list_limit();

    return count > limit.count || bytes > limit.block_bytes;
}

/* measure: bytes of words as entries, and as they are. */
static uint64_t
measure(const struct slice *words, int count, uint64_t *ret_text)
{
    uint64_t entries = 0;

    *ret_text = 0;
    for (int i = 0; i < count; i++) {
        *ret_text += words[i].len;
        entries += words[i].len > RECORD_INLINE_MAX ? words[i].len
                                                    : lp_entry_bytes(words[i].ptr, words[i].len);
    }
    return entries;
}

/* hand_over: the root becomes the value at ref.  0, or -ENOMEM: it is freed. */
static int
hand_over(struct db_ref *ref, const struct list_root *l)
{
    struct value v = {.type = TYPE_LIST, .enc = ENC_ROOT, .root = l};

    if (l == NULL)
        return -ENOMEM;
    if (db_store(ref, &v, ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE) == 0)
        return 0;
    list_root_free(l);
    return -ENOMEM;
}

/* push_all: 0, or -ENOMEM and as it was. */
static int
push_all(const struct list_root *l, enum list_side side, const struct slice *words, int count)
{
    for (int i = 0; i < count; i++)
        if (list_root_push(l, side, words[i]) < 0) {
            if (i > 0)
                list_root_pop(l, side, (uint64_t)i);
            return -ENOMEM;
        }
    return 0;
}

/* grow: the small list at ref, or none, becomes a large one with these words added. */
static int
grow(struct db_ref *ref, enum list_side side, const struct slice *words, int count, bool is_quick)
{
    struct list_limit limit = list_limit();
    const struct list_root *l;
    struct list_item first;
    int done = 0;

    if (ref->rec != NULL) {
        l = list_root_new(list_small_entries(ref->rec), (uint32_t)list_len(ref->rec));
    } else {
        list_item_init(&first, words[done++], &limit);
        l = list_root_of_item(&first);
    }
    if (l == NULL)
        return -ENOMEM;
    if (push_all(l, side, words + done, count - done) < 0) {
        list_root_free(l);
        return -ENOMEM;
    }
    list_root_set_quick(l, is_quick);
    return hand_over(ref, l);
}

/* note_growth: a large list has become what Redis calls a quicklist. */
static void
note_growth(const struct list_root *l, uint64_t more, uint64_t more_bytes)
{
    uint64_t bytes;

    if (l->is_quick != 0)
        return;
    bytes = list_root_bytes(l);
    if (bytes == UINT64_MAX || is_beyond(l->count + more, bytes + LP_EMPTY_BYTES + more_bytes))
        list_root_set_quick(l, true);
}

struct gathering {
    struct slice entries[8];
    int count;
};

static void
gather(void *ctx, const struct list_run *run)
{
    struct gathering *g = ctx;

    g->entries[g->count++] = (struct slice){(const char *)run->at, (size_t)(run->end - run->at)};
}

/* shrink: after elements went: a large list may be small again.  Half of the limits, so that a list
 * that comes and goes around them does not change its form each time.  What cannot be done for want
 * of memory is left. */
static void
shrink(struct db_ref *ref)
{
    const struct list_root *l = root_of(ref->rec);
    struct list_limit limit = list_limit();
    uint64_t bytes = list_root_bytes(l);
    struct gathering g = {.count = 0};

    if (bytes == UINT64_MAX || bytes + LP_EMPTY_BYTES > limit.block_bytes / 2 ||
        l->count > limit.count / 2 || list_root_has_plain(l))
        return;
    list_root_set_quick(l, false);
    if (bytes + LP_EMPTY_BYTES > RECORD_INLINE_MAX / 2 ||
        !list_small_fits(record_key(ref->rec).len, bytes))
        return;
    list_runs(ref->rec, 0, l->count, gather, &g);
    (void)list_small_store(ref, g.entries, g.count, l->count);
}

/* ---- change ---- */

static int
push_to_root(const struct list_root *l, enum list_side side, const struct slice *words, int count)
{
    bool was_quick = l->is_quick != 0;
    uint64_t text = 0;
    int r;

    if (!was_quick) {
        (void)measure(words, count, &text);
        note_growth(l, (uint64_t)count, text);
    }
    if ((r = push_all(l, side, words, count)) < 0)
        list_root_set_quick(l, was_quick);
    return r;
}

int
list_add(struct db_ref *ref, enum list_side side, const struct slice *words, int count)
{
    uint64_t text, entries, old = 0, elements = 0;
    bool beyond;

    debug_check(ref->rec == NULL || record_type(ref->rec) == TYPE_LIST);
    debug_check(count > 0);
    if (ref->rec != NULL && !is_small(ref->rec))
        return push_to_root(root_of(ref->rec), side, words, count);
    entries = measure(words, count, &text);
    if (ref->rec != NULL) {
        old = list_small_entries(ref->rec).len;
        elements = list_len(ref->rec);
    }
    beyond = is_beyond(elements + (uint64_t)count, old + LP_EMPTY_BYTES + text);
    if (beyond || !list_small_fits(ref->key.len, old + entries))
        return grow(ref, side, words, count, beyond);
    return list_small_push(ref, side, words, count);
}

int
list_trim(struct db_ref *ref, uint64_t head, uint64_t tail)
{
    uint64_t count = list_len(ref->rec);

    if (head >= count || tail >= count - head) {
        db_remove(ref);
        return 0;
    }
    if (is_small(ref->rec))
        return list_small_trim(ref, head, tail);
    if (head > 0)
        list_root_pop(root_of(ref->rec), LIST_HEAD, head);
    if (tail > 0)
        list_root_pop(root_of(ref->rec), LIST_TAIL, tail);
    shrink(ref);
    return 0;
}

/* splice: element i becomes the word, or the word is inserted before it.  Redis asks about its
 * limits before it does either, as if there were one element more after both. */
static int
splice(struct db_ref *ref, uint64_t i, bool replaces, struct slice word)
{
    uint64_t text, entry = measure(&word, 1, &text);
    const struct list_root *l;
    bool beyond;
    int r;

    if (!is_small(ref->rec)) {
        bool was_quick = root_of(ref->rec)->is_quick != 0;
        l = root_of(ref->rec);
        note_growth(l, 1, text);
        if ((r = replaces ? list_root_set(l, i, word) : list_root_insert(l, i, word)) < 0)
            list_root_set_quick(l, was_quick);
        return r;
    }
    beyond =
        is_beyond(list_len(ref->rec) + 1, list_small_entries(ref->rec).len + LP_EMPTY_BYTES + text);
    if (!beyond && list_small_fits(ref->key.len, list_small_entries(ref->rec).len + entry))
        return list_small_splice(ref, i, replaces, word);
    if ((l = list_root_new(list_small_entries(ref->rec), (uint32_t)list_len(ref->rec))) == NULL)
        return -ENOMEM;
    list_root_set_quick(l, beyond);
    r = replaces ? list_root_set(l, i, word) : list_root_insert(l, i, word);
    if (r == 0)
        return hand_over(ref, l);
    list_root_free(l);
    return r;
}

int
list_set(struct db_ref *ref, uint64_t i, struct slice word)
{
    int r = splice(ref, i, true, word);

    if (r == 0 && !is_small(ref->rec))
        shrink(ref);
    return r;
}

int
list_insert(struct db_ref *ref, uint64_t i, struct slice word)
{
    debug_check(i <= list_len(ref->rec));
    if (i == list_len(ref->rec))
        return list_add(ref, LIST_TAIL, &word, 1);
    return splice(ref, i, false, word);
}

int
list_rem(struct db_ref *ref, struct slice word, uint64_t limit, enum list_side from,
         uint64_t *ret_removed)
{
    struct lp_needle needle;
    uint64_t was;

    lp_needle_init(&needle, word.ptr, word.len);
    if (is_small(ref->rec))
        return list_small_remove(ref, &needle, limit, from, ret_removed);
    was = list_len(ref->rec);
    *ret_removed = list_root_remove(root_of(ref->rec), &needle, limit, from);
    if (*ret_removed == was)
        db_remove(ref);
    else if (*ret_removed > 0)
        shrink(ref);
    return 0;
}

/* ---- from one end to another ---- */

/* end_text: the element at an end. */
static struct slice
end_text(const struct record *r, enum list_side side, char scratch[LP_INT_TEXT_BYTES])
{
    struct list_elem e;

    list_get(r, side == LIST_HEAD ? 0 : list_len(r) - 1, &e);
    return list_text(&e, scratch);
}

int
list_move(struct db_ref *from, enum list_side from_side, struct db_ref *to, enum list_side to_side)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice word = end_text(from->rec, from_side, scratch);
    const struct record *fresh = NULL;
    bool needs_fresh = is_small(from->rec) && list_len(from->rec) > 1;

    if (needs_fresh && (fresh = list_small_trimmed(from, from_side)) == NULL)
        return -ENOMEM;
    if (list_add(to, to_side, &word, 1) < 0) {
        if (fresh != NULL)
            record_free(fresh);
        return -ENOMEM;
    }
    from->at.bucket = NULL; /* the table may have grown */
    if (needs_fresh)
        db_exchange(from, fresh);
    else
        (void)list_trim(from, from_side == LIST_HEAD, from_side == LIST_TAIL); /* takes no memory */
    return 0;
}

int
list_rotate(struct db_ref *ref, enum list_side from, enum list_side to)
{
    char scratch[LP_INT_TEXT_BYTES];
    struct slice word;

    if (from == to || list_len(ref->rec) == 1)
        return 0;
    if (is_small(ref->rec))
        return list_small_rotate(ref, from);
    word = end_text(ref->rec, from, scratch);
    if (list_root_push(root_of(ref->rec), to, word) < 0)
        return -ENOMEM;
    list_root_pop(root_of(ref->rec), from, 1);
    return 0;
}
