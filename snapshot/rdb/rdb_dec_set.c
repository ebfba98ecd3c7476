/* snapshot/rdb/rdb_dec_set.c - sets: plain, in an intset, and in a listpack. */
#include <errno.h>

#include "mm/base/printable.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "snapshot/rdb/rdb_dec_impl.h"

int
dec_set_plain(struct dec *d)
{
    uint64_t offset = rdb_source_offset(d->src), members = 0;
    struct slice member;
    int r;

    d->what = "the number of a set's members";
    if ((r = dec_len(d, &members)) != 0)
        return r;
    if (members > source_left(d->src)) /* an empty member is one length byte */
        return dec_fail(
            d, offset, -EINVAL, "a set claims %llu members where the file %s %llu bytes",
            (unsigned long long)members, dec_has(d), (unsigned long long)source_left(d->src));
    if (members == 0 && (r = dec_find_empty(d, "set")) != 0)
        return r;
    if (d->ev->set_begin != NULL && (r = dec_sink(d, d->ev->set_begin(d->ctx, members))) != 0)
        return r;
    for (uint64_t i = 0; i < members; i++) {
        d->what = "a set's member";
        if ((r = dec_string_here(d, &d->field, &member)) != 0)
            return r;
        if (d->ev->set_member != NULL && (r = dec_sink(d, d->ev->set_member(d->ctx, member))) != 0)
            return r;
    }
    return 0;
}

int
dec_set_intset(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0;
    uint32_t members;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0)
        return r;
    if (!intset_validate(slice_bytes(blob), blob.len, &members))
        return dec_fail(d, offset, -EINVAL, "the set's intset of %zu bytes is damaged", blob.len);
    if (members == 0 && (r = dec_find_empty(d, "set")) != 0)
        return r;
    if (d->ev->set_intset == NULL)
        return 0;
    return dec_sink(d, d->ev->set_intset(d->ctx, blob, members));
}

/* check_members: no two in the listpack are the same. */
static int
check_members(struct dec *d, uint64_t offset, const uint8_t *lp)
{
    char scratch[LP_INT_TEXT_BYTES], name[64];

    field_set_clear(&d->fields);
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, at)) {
        struct slice member = lp_slice(lp, at, scratch);
        int r;

        if ((r = field_set_add(&d->fields, member.ptr, member.len)) < 0)
            return dec_fail(d, offset, r, "no memory to compare the members of a set");
        if (r > 0)
            continue;
        printable(name, sizeof name, member.ptr, member.len);
        return dec_fail(d, offset, -EINVAL, "the set has the member \"%s\" twice", name);
    }
    return 0;
}

int
dec_set_listpack(struct dec *d)
{
    struct slice blob = {NULL, 0};
    uint64_t offset = 0;
    uint32_t members;
    int r;

    if ((r = dec_value_blob(d, &blob, &offset)) != 0)
        return r;
    if ((r = dec_listpack(d, &blob, offset, "the set's", &members)) != 0)
        return r;
    if (members == 0 && (r = dec_find_empty(d, "set")) != 0)
        return r;
    if ((r = check_members(d, offset, slice_bytes(blob))) != 0)
        return r;
    if (d->ev->set_listpack == NULL)
        return 0;
    return dec_sink(d, d->ev->set_listpack(d->ctx, blob, members));
}
