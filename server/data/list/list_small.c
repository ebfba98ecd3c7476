/* server/data/list/list_small.c - a list as a listpack in its record. */
#include "server/data/list/list_small.h"

#include <string.h>

#include "mm/base/le.h"
#include "server/data/db/blob.h"

enum { END = 0xff };

static uint8_t scratch[RECORD_INLINE_MAX + LP_EMPTY_BYTES];

struct slice
list_small_entries(const struct record *r)
{
    struct slice lp = record_blob(r);

    return (struct slice){lp.ptr + LP_HEADER_BYTES, lp.len - LP_EMPTY_BYTES};
}

const uint8_t *
list_small_entry(const struct record *r, uint64_t i)
{
    const uint8_t *p = (const uint8_t *)list_small_entries(r).ptr;

    for (; i > 0; i--)
        p += lp_entry_size(p);
    return p;
}

bool
list_small_fits(size_t key_len, uint64_t entries_bytes)
{
    return entries_bytes <= RECORD_INLINE_MAX &&
           record_can_inline(key_len, entries_bytes + LP_EMPTY_BYTES);
}

/* frame: what scratch holds behind the frame's place, up to p, as a listpack. */
static struct slice
frame(uint8_t *p, uint64_t count)
{
    size_t len = (size_t)(p + 1 - scratch);

    *p = END;
    le_store(scratch, len, 4);
    le_store(scratch + 4, count, 2);
    return (struct slice){(const char *)scratch, len};
}

static int
store(struct db_ref *ref, uint8_t *p, uint64_t count)
{
    return blob_store(ref, TYPE_LIST, frame(p, count));
}

static uint8_t *
add(uint8_t *p, struct slice bytes)
{
    must(bytes.len <= (size_t)(scratch + sizeof scratch - 1 - p));
    if (bytes.len > 0)
        memcpy(p, bytes.ptr, bytes.len);
    return p + bytes.len;
}

int
list_small_store(struct db_ref *ref, const struct slice entries[], int pieces, uint64_t count)
{
    uint8_t *p = scratch + LP_HEADER_BYTES;

    for (int i = 0; i < pieces; i++)
        p = add(p, entries[i]);
    return store(ref, p, count);
}

static uint8_t *
add_word(uint8_t *p, struct slice word)
{
    struct lp_entry e;

    lp_entry_make(&e, word.ptr, word.len);
    must(e.size <= (size_t)(scratch + sizeof scratch - 1 - p));
    lp_entry_put(p, &e);
    return p + e.size;
}

int
list_small_push(struct db_ref *ref, enum list_side side, const struct slice *words, int count)
{
    struct slice old = ref->rec != NULL ? list_small_entries(ref->rec) : (struct slice){.len = 0};
    uint64_t before = ref->rec != NULL ? list_len(ref->rec) : 0;
    uint8_t *p = scratch + LP_HEADER_BYTES;

    if (side == LIST_TAIL)
        p = add(p, old);
    for (int i = 0; i < count; i++)
        p = add_word(p, words[side == LIST_TAIL ? i : count - 1 - i]);
    if (side == LIST_HEAD)
        p = add(p, old);
    return store(ref, p, before + (uint64_t)count);
}

int
list_small_trim(struct db_ref *ref, uint64_t head, uint64_t tail)
{
    uint64_t count = list_len(ref->rec) - head - tail;
    const uint8_t *from = list_small_entry(ref->rec, head), *to = from;

    for (uint64_t i = 0; i < count; i++)
        to += lp_entry_size(to);
    return list_small_store(ref, &(struct slice){(const char *)from, (size_t)(to - from)}, 1,
                            count);
}

/* end_entry: how long the entry at that end is. */
static size_t
end_entry(struct slice entries, enum list_side side)
{
    const uint8_t *begin = (const uint8_t *)entries.ptr, *end = begin + entries.len;

    return side == LIST_HEAD ? lp_entry_size(begin) : (size_t)(end - lp_entry_before(end));
}

const struct record *
list_small_trimmed(const struct db_ref *ref, enum list_side side)
{
    struct slice all = list_small_entries(ref->rec);
    size_t gone = end_entry(all, side);
    uint8_t *p = add(scratch + LP_HEADER_BYTES,
                     (struct slice){all.ptr + (side == LIST_HEAD ? gone : 0), all.len - gone});
    struct record_spec spec;

    record_spec_of(ref->rec, &spec);
    spec.value = (struct value){
        .type = TYPE_LIST, .enc = ENC_INLINE, .blob = frame(p, list_len(ref->rec) - 1)};
    return record_new(&spec);
}

int
list_small_rotate(struct db_ref *ref, enum list_side from)
{
    struct slice all = list_small_entries(ref->rec), parts[2];
    size_t size = end_entry(all, from), at = from == LIST_HEAD ? size : all.len - size;

    parts[0] = (struct slice){all.ptr + at, all.len - at};
    parts[1] = (struct slice){all.ptr, at};
    return list_small_store(ref, parts, 2, list_len(ref->rec));
}

int
list_small_splice(struct db_ref *ref, uint64_t i, bool replaces, struct slice word)
{
    struct slice old = list_small_entries(ref->rec);
    const uint8_t *at = list_small_entry(ref->rec, i),
                  *rest = replaces ? at + lp_entry_size(at) : at;
    size_t left = (size_t)(at - (const uint8_t *)old.ptr), gone = (size_t)(rest - at);
    uint8_t *p = add(scratch + LP_HEADER_BYTES, (struct slice){old.ptr, left});

    p = add_word(p, word);
    p = add(p, (struct slice){(const char *)rest, old.len - left - gone});
    return store(ref, p, list_len(ref->rec) + !replaces);
}

int
list_small_remove(struct db_ref *ref, const struct lp_needle *needle, uint64_t limit,
                  enum list_side from, uint64_t *ret_removed)
{
    struct slice old = list_small_entries(ref->rec);
    const uint8_t *begin = (const uint8_t *)old.ptr, *end = begin + old.len, *next;
    uint8_t *p = scratch + LP_HEADER_BYTES;
    uint64_t all = 0, skip, seen = 0, removed = 0, count = list_len(ref->rec);

    for (const uint8_t *at = begin; at < end; at += lp_entry_size(at))
        all += lp_entry_matches(at, needle);
    *ret_removed = all < limit ? all : limit;
    skip = from == LIST_HEAD ? 0 : all - *ret_removed;
    if (*ret_removed == count) {
        db_remove(ref);
        return 0;
    }
    if (*ret_removed == 0)
        return 0;
    for (const uint8_t *at = begin; at < end; at = next) {
        next = at + lp_entry_size(at);
        if (removed < *ret_removed && lp_entry_matches(at, needle) && seen++ >= skip) {
            removed++;
        } else {
            p = add(p, (struct slice){(const char *)at, (size_t)(next - at)});
        }
    }
    return store(ref, p, count - removed);
}
