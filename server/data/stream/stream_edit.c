/* server/data/stream/stream_edit.c - the bytes of nodes.  Format: snapshot/rdb/stream_node.h. */
#include "server/data/stream/stream_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/le.h"
#include "mm/base/num.h"
#include "mm/mm.h"
#include "snapshot/rdb/listpack.h"

enum { NUMBER_BYTES = 16 };

static uint8_t *scratch;
static size_t scratch_room;

static int
reserve(size_t bytes)
{
    uint8_t *p;

    if (bytes <= scratch_room)
        return 0;
    bytes += bytes / 2;
    if (fault_point(FAULT_side_alloc) || (p = realloc(scratch, bytes)) == NULL)
        return -ENOMEM;
    scratch = p;
    scratch_room = bytes;
    return 0;
}

static void
append_number(uint8_t *lp, uint64_t n)
{
    char text[NUM_MAX_BYTES];

    lp_append(lp, text, num_print(text, (int64_t)n));
}

static void
append_word(uint8_t *lp, struct slice word)
{
    lp_append(lp, word.ptr, word.len);
}

/* has_same_fields: are the words' fields the master entry's? */
static bool
has_same_fields(const struct stream_node *n, const struct slice *words, int pairs)
{
    uint32_t at = n->fields_at;

    if (n->fields != (uint32_t)pairs)
        return false;
    for (int i = 0; i < pairs; i++) {
        if (!lp_equal(n->lp, at, words[2 * i].ptr, words[2 * i].len))
            return false;
        at = lp_next(n->lp, at);
    }
    return true;
}

static void
append_item(uint8_t *lp, const struct stream_node *n, struct stream_id id,
            const struct slice *words, int pairs)
{
    bool same = n == NULL || has_same_fields(n, words, pairs);

    append_number(lp, same ? STREAM_ITEM_SAME : 0);
    append_number(lp, n == NULL ? 0 : id.ms - n->first.ms);
    append_number(lp, n == NULL ? 0 : id.seq - n->first.seq);
    if (!same)
        append_number(lp, (uint64_t)pairs);
    for (int i = 0; i < pairs; i++) {
        if (!same)
            append_word(lp, words[2 * i]);
        append_word(lp, words[2 * i + 1]);
    }
    append_number(lp, (uint64_t)pairs * (same ? 1 : 2) + (same ? 3 : 4));
}

static void
append_master(uint8_t *lp, const struct slice *words, int pairs)
{
    append_number(lp, 1);
    append_number(lp, 0);
    append_number(lp, (uint64_t)pairs);
    for (int i = 0; i < pairs; i++)
        append_word(lp, words[2 * i]);
    append_number(lp, 0);
}

int
stream_build_item(const struct stream_node *n, struct stream_id id, const struct slice *words,
                  int pairs, struct stream_bytes *ret)
{
    size_t bytes = LP_EMPTY_BYTES + 9 * (size_t)NUMBER_BYTES;

    for (int i = 0; i < 2 * pairs; i++)
        bytes += words[i].len + NUMBER_BYTES;
    if (reserve(bytes) < 0)
        return -ENOMEM;
    lp_init(scratch);
    if (n == NULL)
        append_master(scratch, words, pairs);
    append_item(scratch, n, id, words, pairs);
    *ret = (struct stream_bytes){.at = scratch, .len = lp_bytes(scratch)};
    if (n != NULL) {
        ret->elements = lp_count(scratch);
        ret->at += LP_HEADER_BYTES;
        ret->len -= LP_EMPTY_BYTES;
    }
    return 0;
}

/* set_head: total bytes and number of elements. */
static void
set_head(const uint8_t *lp, uint32_t bytes, uint32_t elements)
{
    uint8_t *w = mm_modify(lp, LP_HEADER_BYTES);

    le_store(w, bytes, 4);
    le_store(w + 4, elements < LP_COUNT_UNKNOWN ? elements : LP_COUNT_UNKNOWN, 2);
}

/* put_in_form: the number in the form of the integer entry that stands there; false: it takes a
 * larger one. */
static bool
put_in_form(uint8_t *entry, uint64_t n)
{
    unsigned bytes;

    if (*entry < 0x80) {
        if (n > 127)
            return false;
        *entry = (uint8_t)n;
        return true;
    }
    if (*entry < LP_ENC_INT16) {
        if (n > 4095)
            return false;
        entry[0] = (uint8_t)(0xc0 | n >> 8);
        entry[1] = (uint8_t)n;
        return true;
    }
    bytes = *entry == LP_ENC_INT64 ? 8 : *entry - LP_ENC_INT16 + 2u;
    if (bytes < 8 && n >> (8 * bytes - 1) != 0)
        return false;
    le_store(entry + 1, n, bytes);
    return true;
}

/* widen: the entry at `at` takes a larger form; what follows moves (E1). */
static void
widen(const uint8_t *lp, uint32_t at, uint64_t n)
{
    uint8_t number[LP_EMPTY_BYTES + NUMBER_BYTES], *w;
    uint32_t old = lp_entry_size(lp + at), bytes = lp_bytes(lp), size;

    lp_init(number);
    append_number(number, n);
    size = lp_bytes(number) - LP_EMPTY_BYTES;
    must(size > old && bytes + size - old <= mm_usable(lp));
    w = mm_modify(lp, bytes + size - old);
    memmove(w + at + size, w + at + old, bytes - at - old);
    memcpy(w + at, number + LP_HEADER_BYTES, size);
    le_store(w, bytes + size - old, 4);
}

static void
set_number(const uint8_t *lp, uint32_t at, uint64_t n)
{
    uint8_t *w = mm_modify(lp + at, lp_entry_size(lp + at));

    if (!put_in_form(w, n))
        widen(lp, at, n);
}

void
stream_set_items(const uint8_t *lp, uint64_t live, uint64_t deleted)
{
    set_number(lp, LP_HEADER_BYTES, live);
    set_number(lp, lp_next(lp, LP_HEADER_BYTES), deleted);
}

void
stream_item_append(const uint8_t *lp, const struct stream_bytes *item)
{
    uint32_t bytes = lp_bytes(lp), elements = lp_header_count(lp);
    uint8_t *tail = mm_modify(lp + bytes - 1, item->len + 1);
    uint64_t live, deleted;

    memcpy(tail, item->at, item->len);
    tail[item->len] = LP_END;
    set_head(lp, bytes + item->len,
             elements == LP_COUNT_UNKNOWN ? elements : elements + item->elements);
    stream_node_items(lp, &live, &deleted);
    set_number(lp, LP_HEADER_BYTES, live + 1);
}

void
stream_mark_deleted(const struct stream_item *i)
{
    uint8_t *flags = mm_modify(i->lp + i->at, 1);

    *flags |= STREAM_ITEM_DELETED;
}
