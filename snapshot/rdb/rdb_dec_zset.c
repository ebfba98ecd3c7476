/* snapshot/rdb/rdb_dec_zset.c - sorted sets: plain with scores as text or as doubles, in a
 * listpack, in a ziplist. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "mm/base/le.h"
#include "mm/base/printable.h"
#include "mm/base/real.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb_dec_impl.h"
#include "snapshot/rdb/ziplist.h"

enum {
    LEAST_ASCII_BYTES = 2,  /* an empty member, and a score that is one byte */
    LEAST_BINARY_BYTES = 9, /* ... or eight */
    SCORE_NAN = 253,        /* of scores as text: what is no length */
    SCORE_INF = 254,
    SCORE_MINUS_INF = 255
};

static int
bad_score(struct dec *d, uint64_t offset, const void *text, size_t len)
{
    char shown[64];

    printable(shown, sizeof shown, text, len);
    return dec_fail(d, offset, -EINVAL, "\"%s\" is no score", shown);
}

/* ---- plain ---- */

static int
read_ascii_score(struct dec *d, double *ret)
{
    uint64_t offset = rdb_source_offset(d->src);
    char text[256];
    uint8_t len = 0;
    int r;

    if ((r = dec_byte(d, &len)) != 0)
        return r;
    if (len == SCORE_NAN)
        return bad_score(d, offset, "nan", 3);
    if (len >= SCORE_INF) {
        *ret = len == SCORE_INF ? INFINITY : -INFINITY;
        return 0;
    }
    if ((r = dec_need(d, len)) != 0)
        return r;
    memcpy(text, source_here(d->src), len);
    source_skip(d->src, len);
    return real_parse(text, len, ret) ? 0 : bad_score(d, offset, text, len);
}

static int
read_binary_score(struct dec *d, double *ret)
{
    uint64_t offset = rdb_source_offset(d->src), bits = 0;
    int r;

    if ((r = dec_le(d, sizeof bits, &bits)) != 0)
        return r;
    memcpy(ret, &bits, sizeof bits);
    return isnan(*ret) ? bad_score(d, offset, "nan", 3) : 0;
}

static int
begin(struct dec *d, uint64_t members)
{
    return d->ev->zset_begin != NULL ? dec_sink(d, d->ev->zset_begin(d->ctx, members)) : 0;
}

static int
pass_on(struct dec *d, struct slice member, double score)
{
    return d->ev->zset_member != NULL ? dec_sink(d, d->ev->zset_member(d->ctx, member, score)) : 0;
}

/* read_member: the next one and its score, to the sink.  The score is read after the member, which
 * stays where it is only if both are in hand. */
static int
read_member(struct dec *d, int (*read_score)(struct dec *d, double *ret))
{
    enum { SCORE_MOST = 256 };
    const uint8_t *begin = source_here(d->src), *end = begin + source_ready(d->src), *at;
    struct slice member;
    double score = 0;
    int r;

    d->what = "a sorted set's member";
    if ((at = dec_plain(begin, end, &member)) != NULL && end - at >= SCORE_MOST) {
        source_skip(d->src, (size_t)(at - begin));
    } else {
        if ((r = dec_string_whole(d, &d->field)) != 0)
            return r;
        member = bytes_slice(&d->field);
    }
    d->what = "a member's score";
    if ((r = read_score(d, &score)) != 0 || (r = pass_on(d, member, score)) != 0)
        return r;
    return dec_progress(d);
}

static int
read_plain(struct dec *d, unsigned least_bytes, int (*read_score)(struct dec *d, double *ret))
{
    uint64_t offset = rdb_source_offset(d->src), members = 0;
    int r;

    d->what = "the number of a sorted set's members";
    if ((r = dec_len(d, &members)) != 0)
        return r;
    if (members > source_left(d->src) / least_bytes)
        return dec_fail(
            d, offset, -EINVAL, "a sorted set claims %llu members where the file %s %llu bytes",
            (unsigned long long)members, dec_has(d), (unsigned long long)source_left(d->src));
    if (members == 0 && (r = dec_find_empty(d, "sorted set")) != 0)
        return r;
    if ((r = begin(d, members)) != 0)
        return r;
    for (uint64_t i = 0; i < members; i++)
        if ((r = read_member(d, read_score)) != 0)
            return r;
    return 0;
}

int
dec_zset_ascii(struct dec *d)
{
    return read_plain(d, LEAST_ASCII_BYTES, read_ascii_score);
}

int
dec_zset_binary(struct dec *d)
{
    return read_plain(d, LEAST_BINARY_BYTES, read_binary_score);
}

/* ---- in a listpack ---- */

struct element {
    struct slice member;
    double score;
};

/* parse_element: the member at offset at, and its score.  0 or the decoder's end. */
static int
parse_element(struct dec *d, uint64_t offset, const uint8_t *lp, uint32_t at,
              char scratch[LP_INT_TEXT_BYTES], struct element *ret)
{
    struct lp_elem score;

    ret->member = lp_slice(lp, at, scratch);
    lp_get(lp, lp_next(lp, at), &score);
    if (score.bytes == NULL) {
        ret->score = (double)score.value;
        return 0;
    }
    return real_parse((const char *)score.bytes, score.len, &ret->score)
               ? 0
               : bad_score(d, offset, score.bytes, score.len);
}

static bool
is_before(const struct element *a, const struct element *b)
{
    size_t common = a->member.len < b->member.len ? a->member.len : b->member.len;
    int order;

    if (a->score != b->score)
        return a->score < b->score;
    order = memcmp(a->member.ptr, b->member.ptr, common);
    return order != 0 ? order < 0 : a->member.len < b->member.len;
}

/* check_listpack: scores that are some, no member twice.  *ret_sorted: and all in order. */
static int
check_listpack(struct dec *d, uint64_t offset, const uint8_t *lp, bool *ret_sorted)
{
    char scratch[2][LP_INT_TEXT_BYTES];
    struct element e[2];
    unsigned turn = 0;
    bool sorted = true;
    int r;

    field_set_clear(&d->fields);
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, lp_next(lp, at))) {
        if ((r = parse_element(d, offset, lp, at, scratch[turn], &e[turn])) != 0 ||
            (r = dec_new_member(d, offset, e[turn].member)) != 0)
            return r;
        sorted = sorted && (at == LP_HEADER_BYTES || is_before(&e[!turn], &e[turn]));
        turn = !turn;
    }
    *ret_sorted = sorted;
    return 0;
}

/* pass_on_all: one by one, where the order is not right: nobody writes such a listpack, but readers
 * take it. */
static int
pass_on_all(struct dec *d, uint64_t offset, const uint8_t *lp, uint32_t members)
{
    char scratch[LP_INT_TEXT_BYTES];
    int r = begin(d, members);

    for (uint32_t at = lp_first(lp); r == 0 && at != 0; at = lp_next(lp, lp_next(lp, at))) {
        struct element e;

        if ((r = parse_element(d, offset, lp, at, scratch, &e)) == 0)
            r = pass_on(d, e.member, e.score);
    }
    return r;
}

int
dec_zset_listpack(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0;
    uint32_t elements;
    bool sorted = true;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0)
        return r;
    if ((r = dec_listpack(d, &blob, offset, "the sorted set's", &elements)) != 0)
        return r;
    if (elements % 2 != 0)
        return dec_fail(d, offset, -EINVAL,
                        "the sorted set's listpack has %u elements: a member without a score",
                        elements);
    if (elements == 0 && (r = dec_find_empty(d, "sorted set")) != 0)
        return r;
    if ((r = check_listpack(d, offset, slice_bytes(blob), &sorted)) != 0)
        return r;
    if (!sorted) {
        if ((r = dec_find(d, offset, RDB_FINDING_ORDER,
                          "the sorted set's listpack is not in order")) != 0)
            return r;
        return pass_on_all(d, offset, slice_bytes(blob), elements / 2);
    }
    if (d->ev->zset_listpack == NULL)
        return 0;
    return dec_sink(d, d->ev->zset_listpack(d->ctx, blob, elements / 2));
}

/* ---- in a ziplist ---- */

/* each_pair: members and scores to the sink, or, with only_check, to the set of members alone. */
static int
each_pair(struct dec *d, struct slice blob, uint64_t offset, bool only_check)
{
    char scratch[2][NUM_MAX_BYTES];
    struct slice member, score;
    struct ziplist_walk w;
    double value;
    int r = 0;

    ziplist_open(blob, &w);
    while (r == 0 && ziplist_next(&w, scratch[0], &member) &&
           ziplist_next(&w, scratch[1], &score)) {
        if (!real_parse(score.ptr, score.len, &value))
            return bad_score(d, offset, score.ptr, score.len);
        r = only_check ? dec_new_member(d, offset, member) : pass_on(d, member, value);
    }
    return r;
}

int
dec_zset_ziplist(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0, entries = 0;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0)
        return r;
    if ((r = dec_ziplist(d, blob, offset, "the sorted set's", &entries)) != 0)
        return r;
    if (entries % 2 != 0)
        return dec_fail(d, offset, -EINVAL, "the sorted set's ziplist of %zu bytes is damaged",
                        blob.len);
    if (entries == 0 && (r = dec_find_empty(d, "sorted set")) != 0)
        return r;
    field_set_clear(&d->fields);
    if ((r = each_pair(d, blob, offset, true)) != 0 || (r = begin(d, entries / 2)) != 0)
        return r;
    return each_pair(d, blob, offset, false);
}
