/* server/data/set/set_move.c - a member from one set to another: both change, or neither. */
#include <errno.h>

#include "server/data/set/set_impl.h"

/* without: what is left of a small set of several members, as a value; its inline bytes are in
 * scratch memory. */
static int
without(const struct db_ref *ref, const struct set *s, struct slice member, struct value *ret)
{
    struct slice bytes = record_blob(ref->rec);
    uint8_t *p = set_scratch(bytes.len);
    uint32_t at;
    int64_t v;

    if (p == NULL)
        return -ENOMEM;
    memcpy(p, bytes.ptr, bytes.len);
    if (s->form == SET_LISTPACK) {
        bytes.len = lp_delete(p, lp_find(p, member.ptr, member.len, 0), 1);
    } else {
        unsigned width = intset_width(p);

        must(num_parse(member.ptr, member.len, &v) && intset_find(p, v, &at));
        bytes.len -= width;
        memmove(p + intset_bytes(width, at), p + intset_bytes(width, (uint64_t)at + 1),
                bytes.len - intset_bytes(width, at));
        intset_put_header(p, width, (uint32_t)s->count - 1);
    }
    bytes.ptr = (const char *)p;
    if (value_blob(ret, TYPE_SET, bytes, ref->key.len) < 0)
        return -ENOMEM;
    ret->intset = s->form == SET_INTS;
    return 0;
}

/* make_rest: the record that will take the place of the one at ref. */
static const struct record *
make_rest(const struct db_ref *ref, const struct set *s, struct slice member)
{
    const struct record *r;
    struct value v;

    if (without(ref, s, member, &v) < 0)
        return NULL;
    if ((r = db_make(ref, &v)) == NULL)
        value_free(&v);
    return r;
}

int
set_move(struct db_ref *from, struct db_ref *to, struct slice member, int64_t *ret_added)
{
    struct set s = set_of(from->rec);
    const struct record *rest = NULL;
    int64_t removed;

    if (s.form != SET_TABLE && s.count > 1 && (rest = make_rest(from, &s, member)) == NULL)
        return -ENOMEM;
    if (set_add(to, &member, 1, ret_added) < 0) {
        if (rest != NULL) {
            struct value unused = value_of(rest);

            record_free(rest);
            value_free(&unused);
        }
        return -ENOMEM;
    }
    from->at.bucket = NULL; /* the table of keys may have grown */
    if (rest != NULL)
        db_exchange(from, rest);
    else
        must(set_remove(from, &member, 1, &removed) == 0);
    return 0;
}
