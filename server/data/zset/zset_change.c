/* server/data/zset/zset_change.c - the sorted set type: adding and removing.  A listpack is edited
 * in a scratch copy, which is then stored; in a large one each change is noted until the last one
 * has succeeded. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "server/data/db/blob.h"
#include "server/data/db/value.h"
#include "server/data/zset/zset_small.h"

enum { LISTPACK_MAX = 1 << 30 }; /* a listpack's sizes are 32 bits */

static uint8_t *scratch;
static size_t scratch_room;

static bool
scratch_reserve(size_t room)
{
    uint8_t *p;

    if (room <= scratch_room)
        return true;
    if (fault_point(FAULT_side_alloc) || (p = realloc(scratch, 2 * room)) == NULL)
        return false;
    scratch = p;
    scratch_room = 2 * room;
    return true;
}

/* scratch_copy: the listpack at ref, or an empty one. */
static bool
scratch_copy(const struct db_ref *ref)
{
    struct slice old;

    if (ref->rec == NULL) {
        if (!scratch_reserve(LP_EMPTY_BYTES))
            return false;
        lp_init(scratch);
        return true;
    }
    old = record_blob(ref->rec);
    if (!scratch_reserve(old.len))
        return false;
    memcpy(scratch, old.ptr, old.len);
    return true;
}

static int
store_scratch(struct db_ref *ref)
{
    return blob_store(ref, TYPE_ZSET, (struct slice){(const char *)scratch, lp_bytes(scratch)});
}

/* ---- add ---- */

/* are_flags_good: none takes back what another says, and an increment is one member's. */
static bool
are_flags_good(unsigned flags, int count)
{
    bool nx = (flags & ZSET_NX) != 0, gt = (flags & ZSET_GT) != 0, lt = (flags & ZSET_LT) != 0;

    return !(nx && ((flags & ZSET_XX) != 0 || gt || lt)) && !(gt && lt) &&
           ((flags & ZSET_INCR) == 0 || count == 1);
}

/* What is to become of one member. */
enum verdict { HELD_BACK, ADD, UPDATE, AS_IT_IS, NO_NUMBER };

/* judge: *score is the given one and becomes the one it shall have.  has: the member is there, with
 * `now`. */
static enum verdict
judge(unsigned flags, bool has, double now, double *score)
{
    if (!has)
        return (flags & ZSET_XX) != 0 ? HELD_BACK : ADD;
    if ((flags & ZSET_NX) != 0)
        return HELD_BACK;
    if ((flags & ZSET_INCR) != 0) {
        *score += now;
        if (isnan(*score))
            return NO_NUMBER;
    }
    if (((flags & ZSET_LT) != 0 && *score >= now) || ((flags & ZSET_GT) != 0 && *score <= now))
        return HELD_BACK;
    return *score == now ? AS_IT_IS : UPDATE;
}

static void
count_verdict(struct zset_added *sum, enum verdict v, double score)
{
    sum->done = v != HELD_BACK;
    sum->score = score;
    sum->added += v == ADD;
    sum->updated += v == UPDATE;
}

static int
put_in_root(const struct zroot *z, unsigned flags, const struct zmember *m, struct zset_added *sum,
            struct zchange *ret)
{
    const struct zentry *e = zroot_get(z, m->member);
    double score = m->score;
    enum verdict v = judge(flags, e != NULL, e != NULL ? e->score : 0, &score);
    int r = 0;

    if (v == NO_NUMBER)
        return -EDOM;
    ret->kind = ZCHANGE_NONE;
    if ((v == ADD || v == UPDATE) && (r = zroot_put(z, e, score, m->member, ret)) < 0)
        return r;
    count_verdict(sum, v, score);
    return 0;
}

static int
add_to_root(const struct zroot *z, unsigned flags, const struct zmember *m, int count,
            struct zset_added *sum)
{
    enum { ON_STACK = 32 };
    struct zchange few[ON_STACK], *changes = few;
    int r = 0, done = 0;

    if (count > ON_STACK && (fault_point(FAULT_side_alloc) ||
                             (changes = malloc((size_t)count * sizeof *changes)) == NULL))
        return -ENOMEM;
    while (done < count && (r = put_in_root(z, flags, &m[done], sum, &changes[done])) == 0)
        done++;
    if (r == 0)
        zroot_commit(z, changes, (uint64_t)done);
    else
        zroot_take_back(z, changes, (uint64_t)done);
    if (changes != few)
        free(changes);
    return r;
}

/* put_in_scratch: 0; -ENOMEM; -EDOM; or 1: the member makes it a large one, and nothing was
 * done. */
static int
put_in_scratch(unsigned flags, const struct zmember *m, struct zset_added *sum)
{
    struct zsmall z;
    bool has = zsmall_find(&z, scratch, m->member);
    double score = m->score;
    enum verdict v = judge(flags, has, has ? z.score : 0, &score);
    size_t bytes = lp_bytes(scratch) + zsmall_bytes(m->member.len);

    if (v == NO_NUMBER)
        return -EDOM;
    if (v == ADD &&
        (!zset_is_small(zsmall_count(scratch) + 1, m->member.len) || bytes > LISTPACK_MAX))
        return 1;
    if (v == ADD || v == UPDATE) {
        if (!scratch_reserve(bytes))
            return -ENOMEM;
        if (has)
            zsmall_remove(scratch, z.at, 1);
        zsmall_insert(scratch, score, m->member);
    }
    count_verdict(sum, v, score);
    return 0;
}

/* convert: the listpack in the scratch copy becomes a large one with these members too. */
static int
convert(struct db_ref *ref, unsigned flags, const struct zmember *m, int count,
        struct zset_added *sum)
{
    struct value v = {.type = TYPE_ZSET, .enc = ENC_ROOT, .root = zset_root_of(scratch)};
    int r = v.root == NULL ? -ENOMEM : add_to_root(v.root, flags, m, count, sum);

    if (r == 0)
        r = db_store(ref, &v, ref->rec == NULL ? RECORD_NO_EXPIRE : record_expire(ref->rec));
    if (r < 0 && v.root != NULL)
        zroot_free(v.root);
    return r;
}

int
zset_add(struct db_ref *ref, unsigned flags, const struct zmember *members, int count,
         struct zset_added *ret)
{
    struct zset_added sum = {.added = 0};
    int done = 0, r = 0;

    debug_check(ref->rec == NULL || record_type(ref->rec) == TYPE_ZSET);
    debug_check(count > 0 && are_flags_good(flags, count) && !isnan(members[0].score));
    if (ref->rec != NULL && record_encoding(ref->rec) == ENC_ROOT) {
        r = add_to_root(record_root(ref->rec), flags, members, count, &sum);
    } else if (!scratch_copy(ref)) {
        r = -ENOMEM;
    } else {
        while (done < count && (r = put_in_scratch(flags, &members[done], &sum)) == 0)
            done++;
        if (r == 1)
            r = convert(ref, flags, members + done, count - done, &sum);
        else if (r == 0 && sum.added + sum.updated > 0)
            r = store_scratch(ref);
    }
    if (r == 0)
        *ret = sum;
    return r;
}

/* ---- remove ---- */

/* store_rest: what is left of a listpack; nothing: the key goes. */
static int
store_rest(struct db_ref *ref)
{
    if (lp_first(scratch) != 0)
        return store_scratch(ref);
    db_remove(ref);
    return 0;
}

static int
remove_from_listpack(struct db_ref *ref, const struct slice *members, int count,
                     int64_t *ret_removed)
{
    int64_t removed = 0;
    struct zsmall z;

    if (!scratch_copy(ref))
        return -ENOMEM;
    for (int i = 0; i < count; i++)
        if (zsmall_find(&z, scratch, members[i])) {
            zsmall_remove(scratch, z.at, 1);
            removed++;
        }
    *ret_removed = removed;
    return removed == 0 ? 0 : store_rest(ref);
}

int
zset_remove(struct db_ref *ref, const struct slice *members, int count, int64_t *ret_removed)
{
    const struct zroot *z;

    debug_check(record_type(ref->rec) == TYPE_ZSET && zset_len(ref->rec) > 0);
    if (record_encoding(ref->rec) != ENC_ROOT)
        return remove_from_listpack(ref, members, count, ret_removed);
    z = record_root(ref->rec);
    *ret_removed = 0;
    for (int i = 0; i < count && zroot_count(z) > 0; i++)
        *ret_removed += zroot_remove(z, members[i]);
    if (zroot_count(z) == 0)
        db_remove(ref);
    return 0;
}

int
zset_cut(struct db_ref *ref, uint64_t from, uint64_t count)
{
    struct zsmall z;

    if (count == 0)
        return 0;
    must(record_type(ref->rec) == TYPE_ZSET && from < zset_len(ref->rec) &&
         count <= zset_len(ref->rec) - from);
    if (count == zset_len(ref->rec)) { /* a large one is freed in slices then */
        db_remove(ref);
        return 0;
    }
    if (record_encoding(ref->rec) == ENC_ROOT) {
        zroot_cut(record_root(ref->rec), from, count);
        return 0;
    }
    if (!scratch_copy(ref))
        return -ENOMEM;
    zsmall_first(&z, scratch);
    while (from-- > 0)
        zsmall_next(&z);
    zsmall_remove(scratch, z.at, (uint32_t)count);
    return store_rest(ref);
}

/* ---- make one ---- */

const struct zroot *
zset_root_of(const uint8_t *lp)
{
    const struct zroot *root = zroot_new();
    struct zsmall z;

    if (root == NULL)
        return NULL;
    for (bool more = zsmall_first(&z, lp); more; more = zsmall_next(&z))
        if (zroot_add(root, z.score, z.member) < 0) {
            zroot_free(root);
            return NULL;
        }
    return root;
}

/* as_listpack: the sorted entries, in the scratch copy. */
static bool
as_listpack(const struct zentry *const *sorted, uint64_t count)
{
    size_t room = LP_EMPTY_BYTES;

    for (uint64_t i = 0; i < count; i++)
        room += zsmall_bytes(zentry_member(sorted[i]).len);
    if (!scratch_reserve(room))
        return false;
    lp_init(scratch);
    for (uint64_t i = 0; i < count; i++)
        zsmall_append(scratch, sorted[i]->score, zentry_member(sorted[i]));
    return true;
}

static size_t
longest_member(const struct zentry *const *sorted, uint64_t count)
{
    size_t longest = 0;

    for (uint64_t i = 0; i < count; i++)
        if (zentry_member(sorted[i]).len > longest)
            longest = zentry_member(sorted[i]).len;
    return longest;
}

bool
zset_value_of(const struct zroot *z, const struct zentry *const *sorted, size_t key_len,
              struct value *ret)
{
    uint64_t count = zroot_count(z);

    must(count > 0); /* a sorted set is never empty */
    if (!zset_is_small(count, 0) || !zset_is_small(0, longest_member(sorted, count))) {
        *ret = (struct value){.type = TYPE_ZSET, .enc = ENC_ROOT, .root = z};
        return zroot_plant(z, sorted);
    }
    if (!as_listpack(sorted, count) ||
        value_blob(ret, TYPE_ZSET, (struct slice){(const char *)scratch, lp_bytes(scratch)},
                   key_len) < 0)
        return false;
    zroot_free(z);
    return true;
}
