/* server/data/zset/zset_small.c - see zset_small.h. */
#include "server/data/zset/zset_small.h"

static double
element_score(const uint8_t *lp, uint32_t at)
{
    struct lp_elem e;
    double score = 0;

    lp_get(lp, at, &e);
    if (e.bytes == NULL)
        return (double)e.value;
    /* it was when it was written, or the decoder has looked */
    (void)real_parse(e.bytes, e.len, &score);
    return score;
}

static bool
load(struct zsmall *z, uint32_t at)
{
    z->at = at;
    if (at == 0)
        return false;
    z->member = lp_slice(z->lp, at, z->scratch);
    z->score = element_score(z->lp, lp_next(z->lp, at));
    return true;
}

bool
zsmall_first(struct zsmall *z, const uint8_t *lp)
{
    z->lp = lp;
    return load(z, lp_first(lp));
}

bool
zsmall_next(struct zsmall *z)
{
    debug_check(z->at != 0);
    return load(z, lp_next(z->lp, lp_next(z->lp, z->at)));
}

/* entry_before: the offset of the entry that ends at this one. */
static uint32_t
entry_before(const uint8_t *lp, uint32_t at)
{
    const uint8_t *p = lp + at;
    uint32_t core = 0;
    unsigned n = 0;

    do
        core |= (uint32_t)(*--p & 127) << 7 * n++;
    while ((*p & 128) != 0);
    return (uint32_t)(p - lp) - core;
}

static bool
load_before(struct zsmall *z, uint32_t end)
{
    if (end == LP_HEADER_BYTES)
        return load(z, 0);
    return load(z, entry_before(z->lp, entry_before(z->lp, end)));
}

bool
zsmall_last(struct zsmall *z, const uint8_t *lp)
{
    z->lp = lp;
    return load_before(z, lp_bytes(lp) - 1);
}

bool
zsmall_previous(struct zsmall *z)
{
    return load_before(z, z->at);
}

bool
zsmall_find(struct zsmall *z, const uint8_t *lp, struct slice member)
{
    z->lp = lp;
    return load(z, lp_find(lp, member.ptr, member.len, 1));
}

size_t
zsmall_bytes(size_t member_len)
{
    enum { FRAME = 10 }; /* head and end of an entry */

    return member_len + FRAME + REAL_BYTES + FRAME;
}

/* print_score: zero has no sign here, as in Redis, which writes whole numbers as integers. */
static unsigned
print_score(double score, char text[REAL_BYTES])
{
    return real_print(score == 0 ? 0 : score, text);
}

void
zsmall_append(uint8_t *lp, double score, struct slice member)
{
    char text[REAL_BYTES];

    lp_append(lp, member.ptr, member.len);
    lp_append(lp, text, print_score(score, text));
}

void
zsmall_insert(uint8_t *lp, double score, struct slice member)
{
    char text[REAL_BYTES];
    struct zsmall z;

    debug_check(score == score); /* of no number nobody knows the place */
    for (bool more = zsmall_first(&z, lp); more; more = zsmall_next(&z))
        if (z.score > score || (z.score == score && zentry_member_compare(z.member, member) > 0))
            break;
    if (z.at == 0) {
        zsmall_append(lp, score, member);
        return;
    }
    lp_insert(lp, z.at, text, print_score(score, text));
    lp_insert(lp, z.at, member.ptr, member.len);
}

void
zsmall_remove(uint8_t *lp, uint32_t at, uint32_t count)
{
    lp_delete(lp, at, 2 * count);
}

void
zsmall_verify(const uint8_t *lp, size_t bytes)
{
    struct zsmall z, before, same;
    uint32_t count;

    must(lp_validate(lp, bytes, &count) && count > 0 && count % 2 == 0);
    must(zsmall_first(&before, lp));
    for (bool more = zsmall_first(&z, lp); more; more = zsmall_next(&z)) {
        must(z.score == z.score); /* a number */
        must(zsmall_find(&same, lp, z.member) && same.at == z.at);
        if (z.at != lp_first(lp)) {
            must(before.score < z.score ||
                 (before.score == z.score && zentry_member_compare(before.member, z.member) < 0));
            zsmall_next(&before);
        }
    }
}
