/* server/data/zset/zentry.h - one member of a large sorted set: a block of the values heap with
 * score and member. The table of members and the tree both point to it.
 *
 *     score (8)  length (1)  member                    up to 254 bytes
 *     score (8)  255  length (4)  member               longer ones
 *
 *   ZE1  The member never changes; the score may, through zentry_set_score().
 *
 * Threads: mutator; of a staged copy [any]. */
#ifndef SERVER_DATA_ZSET_ZENTRY_H
#define SERVER_DATA_ZSET_ZENTRY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/slice.h"
#include "mm/mm.h"

struct zentry {
    double score;
    uint8_t len; /* ZENTRY_LONG: the length follows in 4 bytes */
    char bytes[];
};

enum {
    ZENTRY_LONG = 255,
    ZENTRY_HEAD = offsetof(struct zentry, bytes),
    ZENTRY_LONG_HEAD = ZENTRY_HEAD + 4
};

/* zentry_head: bytes before the member. */
static inline size_t
zentry_head(size_t member_len)
{
    return member_len < ZENTRY_LONG ? ZENTRY_HEAD : ZENTRY_LONG_HEAD;
}

/* zentry_member: of a staged copy, the first zentry_head() bytes must be there for the length to be
 * right. */
static inline struct slice
zentry_member(const struct zentry *e)
{
    uint32_t len;

    if (likely(e->len < ZENTRY_LONG))
        return (struct slice){.ptr = e->bytes, .len = e->len};
    memcpy(&len, e->bytes, sizeof len);
    return (struct slice){.ptr = e->bytes + sizeof len, .len = len};
}

/* zentry_new: NULL: no memory, or a member of more than 4 GiB. */
static inline const struct zentry *
zentry_new(double score, struct slice member)
{
    uint32_t len = (uint32_t)member.len;
    size_t head = zentry_head(member.len);
    struct zentry *e;

    if (member.len > UINT32_MAX || (e = mm_alloc(MM_VALUE, head + member.len)) == NULL)
        return NULL;
    e->score = score;
    e->len = (uint8_t)(head == ZENTRY_HEAD ? len : ZENTRY_LONG);
    if (head != ZENTRY_HEAD)
        memcpy(e->bytes, &len, sizeof len);
    memcpy((char *)e + head, member.ptr, member.len);
    return e;
}

static inline void
zentry_set_score(const struct zentry *e, double score)
{
    double *w = mm_modify(&e->score, sizeof e->score);

    *w = score;
}

/* zentry_member_compare: members are ordered by their bytes, a prefix first. */
static inline int
zentry_member_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.ptr, b.ptr, common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
