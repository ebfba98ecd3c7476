/* tool/diff/side.h - one of the two files: a mark of each key, and its keys again, by their
 * offsets.
 * Threads: one at a time; the two sides at once. */
#ifndef TOOL_DIFF_SIDE_H
#define TOOL_DIFF_SIDE_H

#include "tool/diff/parts.h"
#include "tool/diff/sorter.h"
#include "tool/input/input.h"

/* A key's mark: 96 bits of its database and name; its expiry time, or 48 bits that stand for it; 61
 * bits of its contents, and its kind; its offset. */
enum { SIDE_OFFSET_BITS = 48, SIDE_KIND_BITS = 3 };

/* From this offset on keys are of that database. */
struct side_range {
    uint64_t offset, db;
};
enum { SIDE_RANGES_MOST = 1 << 20 };

struct side {
    struct parts parts; /* first */
    const char *path;
    struct tool_input *in; /* [owned] */
    struct sorter marks;
    uint64_t seed; /* of the marks: the same of both sides */
    uint64_t sum;  /* of the key in hand */
    bool is_empty; /* the key in hand has no element: nobody keeps it */
    struct mark mark;
    struct side_range *ranges; /* [owned] */
    size_t range_count, range_room;
    uint64_t keys, keys_of[RDB_VALUE_COUNT];
    uint64_t libraries, library_sum; /* function libraries */
    int fd; /* [the input's] of the RDB itself, once side_read() is asked */
    uint64_t flat_bytes;
    struct side_pieces *pieces; /* [owned] */
};

/* side_open: reported.  TOOL_OK or TOOL_INVALID; side_close() in any case. */
int side_open(struct side *s, const char *path, uint64_t seed);
void side_close(struct side *s);
/* side_marks: all selected keys go into s->marks.  TOOL_OK or, reported, TOOL_INVALID. */
int side_marks(struct side *s, struct selection *selection, const struct tool_options *o);
/* side_read: the key at that offset, to the parts' begin, part and end.  0, what they returned, or
 * -errno. */
int side_read(struct side *s, uint64_t offset, struct parts *parts, struct rdb_error *err);

static inline bool
side_is_same_key(const struct mark *a, const struct mark *b)
{
    return a->first == b->first && a->second >> 32 == b->second >> 32;
}

static inline bool
side_is_below(const struct mark *a, const struct mark *b)
{
    return a->first != b->first ? a->first < b->first : a->second >> 32 < b->second >> 32;
}

static inline uint64_t
side_offset(const struct mark *m)
{
    return m->place & ((1ull << SIDE_OFFSET_BITS) - 1);
}

static inline bool
side_is_same_expiry(const struct mark *a, const struct mark *b)
{
    return (uint32_t)a->second == (uint32_t)b->second &&
           a->place >> SIDE_OFFSET_BITS == b->place >> SIDE_OFFSET_BITS;
}

static inline enum rdb_value_kind
side_kind(const struct mark *m)
{
    return (enum rdb_value_kind)(m->rest & ((1u << SIDE_KIND_BITS) - 1));
}

#endif
