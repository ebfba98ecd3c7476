/* server/data/set/set_change.c - the set type: add and remove members, from one form to the next as
 * Redis 7.2 goes.  How an intset changes where it stands: set_ints.c. */
#include <errno.h>
#include <stdlib.h>

#include "server/data/db/blob.h"
#include "server/data/set/set_impl.h"

void *
set_scratch(size_t bytes)
{
    static void *scratch;
    static size_t room;
    void *p;

    if (bytes > room) {
        if ((p = realloc(scratch, bytes * 2)) == NULL)
            return NULL;
        scratch = p;
        room = bytes * 2;
    }
    return scratch;
}

/* ---- tables ---- */

static void
free_members(const struct set_member **m, int count)
{
    for (int i = 0; i < count; i++)
        if (m[i] != NULL)
            set_member_free(m[i]);
}

/* make_members: a block for each that the table does not have. */
static int
make_members(const struct mtable *t, const struct set_member **fresh, const struct slice *texts,
             int count)
{
    for (int i = 0; i < count; i++) {
        fresh[i] = NULL;
        if (mtable_has(t, mtable_hash(texts[i]), texts[i]))
            continue;
        if ((fresh[i] = set_member_new(texts[i])) == NULL) {
            free_members(fresh, i);
            return -ENOMEM;
        }
    }
    return 0;
}

/* link_members: the fresh ones into the table; of those given twice the later ones are freed. */
static int
link_members(const struct mtable *t, const struct set_member **fresh, const struct slice *texts,
             int count, int64_t *ret_added)
{
    int64_t added = 0;

    for (int i = 0; i < count; i++) {
        uint64_t hash;

        if (fresh[i] == NULL)
            continue;
        hash = mtable_hash(texts[i]);
        if (mtable_has(t, hash, texts[i])) {
            set_member_free(fresh[i]);
            fresh[i] = NULL;
        } else if (mtable_add(t, hash, fresh[i])) {
            added++;
        } else {
            for (int k = 0; k < i; k++)
                if (fresh[k] != NULL)
                    mtable_take_this(t, fresh[k]);
            free_members(fresh, count);
            return -ENOMEM;
        }
    }
    *ret_added = added;
    return 0;
}

/* add_to_table: all of them, or -ENOMEM. */
static int
add_to_table(const struct mtable *t, const struct slice *texts, int count, int64_t *ret_added)
{
    enum { ON_STACK = 64 };
    const struct set_member *few[ON_STACK], **fresh = few;
    int r;

    if (count > ON_STACK && (fresh = malloc((size_t)count * sizeof *fresh)) == NULL)
        return -ENOMEM;
    if ((r = make_members(t, fresh, texts, count)) == 0)
        r = link_members(t, fresh, texts, count, ret_added);
    if (fresh != few)
        free(fresh);
    return r;
}

static int64_t
expiry(const struct db_ref *ref)
{
    return ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE;
}

/* become_table: the small set `from` (count 0: nothing) becomes a table, and these members are
 * added. */
static int
become_table(struct db_ref *ref, const struct set *from, const struct slice *texts, int count)
{
    struct value v = {.type = TYPE_SET, .enc = ENC_ROOT};
    const struct mtable *t = from->count > 0 ? set_table_of(from) : mtable_new();
    int64_t added;

    if (t == NULL)
        return -ENOMEM;
    v.root = t;
    if (add_to_table(t, texts, count, &added) < 0 || db_store(ref, &v, expiry(ref)) < 0) {
        mtable_free(t);
        return -ENOMEM;
    }
    return 0;
}

/* ---- listpacks: changed in scratch memory, then stored ---- */

/* add_to_listpack: members to the listpack `lp` in scratch memory, which has the room; it becomes a
 * table where it does not fit any more. */
static int
add_to_listpack(struct db_ref *ref, uint8_t *lp, const struct slice *texts, int count)
{
    uint32_t n = lp_count(lp), before = n;

    for (int i = 0; i < count; i++) {
        if (lp_find(lp, texts[i].ptr, texts[i].len, 0) != 0)
            continue;
        if (!set_is_small((uint64_t)n + 1, texts[i].len))
            return become_table(ref, &(struct set){.form = SET_LISTPACK, .blob = lp, .count = n},
                                texts + i, count - i);
        lp_append(lp, texts[i].ptr, texts[i].len);
        n++;
    }
    if (n == before && ref->rec != NULL && !record_has(ref->rec, RECORD_INTSET))
        return 0;
    return blob_store(ref, TYPE_SET, (struct slice){.ptr = (const char *)lp, .len = lp_bytes(lp)});
}

/* room_for: bytes that those of the texts that may stand in a listpack take there at most. */
static size_t
room_for(const struct slice *texts, int count)
{
    size_t bytes = 0;

    for (int i = 0; i < count; i++)
        if (set_is_small(0, texts[i].len))
            bytes += lp_entry_bytes(texts[i].ptr, texts[i].len);
    return bytes;
}

static int
add_to_stored_listpack(struct db_ref *ref, const struct set *s, const struct slice *texts,
                       int count)
{
    struct slice old = {.len = LP_EMPTY_BYTES};
    size_t more = room_for(texts, count);
    uint8_t *lp;

    if (ref->rec != NULL)
        old = record_blob(ref->rec);
    if (old.len + more > SET_LISTPACK_MAX_BYTES)
        return become_table(ref, s, texts, count);
    if ((lp = set_scratch(old.len + more)) == NULL)
        return -ENOMEM;
    if (ref->rec != NULL)
        memcpy(lp, old.ptr, old.len);
    else
        lp_init(lp);
    return add_to_listpack(ref, lp, texts, count);
}

/* ---- intsets ---- */

static int64_t *values; /* the new integers of one call */
static uint32_t values_room;

/* take_values: integers at the front of the texts that are not in the intset, rising, in values[].
 * Returns at how many texts it stopped, because the next one is no integer, or -ENOMEM. */
static int
take_values(const struct set *s, const struct slice *texts, int count, uint32_t *ret_count)
{
    uint32_t n = 0, at;
    int i;

    if ((uint32_t)count > values_room) {
        int64_t *p = realloc(values, (size_t)count * 2 * sizeof *p);

        if (p == NULL)
            return -ENOMEM;
        values = p;
        values_room = (uint32_t)count * 2;
    }
    for (i = 0; i < count && num_parse(texts[i].ptr, texts[i].len, &values[n]); i++)
        if (s->count == 0 || !intset_find(s->blob, values[n], &at))
            n++;
    *ret_count = set_ints_sort(values, n);
    return i;
}

/* leave_ints: the intset s and values[0, more) become a listpack, if that may be with these texts;
 * else a table. */
static int
leave_ints(struct db_ref *ref, const struct set *s, uint32_t more, const struct slice *rest,
           int count)
{
    struct set empty = {.form = SET_INTS};
    size_t bytes = INTSET_HEADER_BYTES + INTSET_WIDTH_MAX * (s->count + more), longest, room;
    uint8_t *ints = set_scratch(bytes), *lp;

    if (ints == NULL)
        return -ENOMEM;
    if (s->count > 0)
        memcpy(ints, s->blob, intset_bytes(intset_width(s->blob), s->count));
    else
        intset_init(ints);
    for (uint32_t i = 0; i < more; i++)
        intset_add(ints, values[i]);
    empty.blob = ints;
    empty.count = s->count + more;
    longest = set_longest_int(ints);
    room = set_listpack_bytes(ints) + room_for(rest, count);
    if (!set_ints_are_few(empty.count) ||
        !set_is_small(empty.count + 1, rest[0].len > longest ? rest[0].len : longest) ||
        room > SET_LISTPACK_MAX_BYTES)
        return become_table(ref, &empty, rest, count);
    if ((ints = set_scratch(bytes + room)) == NULL) /* keeps what is in it */
        return -ENOMEM;
    lp = ints + bytes;
    set_listpack_of(ints, lp);
    return add_to_listpack(ref, lp, rest, count);
}

static int
add_to_ints(struct db_ref *ref, const struct set *s, const struct slice *texts, int count)
{
    uint32_t more = 0;
    int taken = take_values(s, texts, count, &more);

    if (taken < 0)
        return -ENOMEM;
    if (taken < count && set_ints_are_few(s->count + more))
        return leave_ints(ref, s, more, texts + taken, count - taken);
    if (!set_ints_are_few(s->count + more))
        return become_table(ref, s, texts, count);
    return more == 0 ? 0 : set_ints_add(ref, values, more);
}

/* ---- add ---- */

/* first_form: of a new set, by its first member and how many are coming. */
static enum set_form
first_form(const struct slice *texts, int count)
{
    int64_t v;

    if (num_parse(texts[0].ptr, texts[0].len, &v) && set_ints_are_few((uint64_t)count))
        return SET_INTS;
    return set_is_small((uint64_t)count, 0) ? SET_LISTPACK : SET_TABLE;
}

/* has_room: may a set of this form take so many at once? */
static bool
has_room(enum set_form form, int count)
{
    return form == SET_TABLE || (form == SET_INTS ? set_ints_are_few((uint64_t)count)
                                                  : set_is_small((uint64_t)count, 0));
}

static int
add(struct db_ref *ref, const struct set *s, const struct slice *texts, int count,
    int64_t *ret_added)
{
    if (s->form == SET_TABLE && ref->rec != NULL)
        return add_to_table(s->table, texts, count, ret_added);
    if (!has_room(s->form, count))
        return become_table(ref, s, texts, count);
    return s->form == SET_INTS ? add_to_ints(ref, s, texts, count)
                               : add_to_stored_listpack(ref, s, texts, count);
}

int
set_add(struct db_ref *ref, const struct slice *members, int count, int64_t *ret_added)
{
    struct set s = {.form = first_form(members, count)};
    bool was_table;
    int64_t added = 0;

    debug_check(ref->rec == NULL || record_type(ref->rec) == TYPE_SET);
    debug_check(count > 0);
    if (ref->rec != NULL)
        s = set_of(ref->rec);
    was_table = ref->rec != NULL && s.form == SET_TABLE;
    if (s.form == SET_TABLE && !was_table ? become_table(ref, &s, members, count) < 0
                                          : add(ref, &s, members, count, &added) < 0)
        return -ENOMEM;
    *ret_added = was_table ? added : (int64_t)(set_of(ref->rec).count - s.count);
    return 0;
}

/* ---- remove ---- */

static int
remove_from_table(struct db_ref *ref, const struct mtable *t, const struct slice *texts, int count,
                  int64_t *ret_removed)
{
    int64_t removed = 0;

    for (int i = 0; i < count && mtable_count(t) > 0; i++) {
        const struct set_member *m = mtable_take(t, texts[i]);

        if (m == NULL)
            continue;
        set_member_free(m);
        removed++;
    }
    *ret_removed = removed;
    if (mtable_count(t) == 0)
        db_remove(ref);
    return 0;
}

static int
remove_from_listpack(struct db_ref *ref, const struct slice *texts, int count, int64_t *ret_removed)
{
    struct slice old = record_blob(ref->rec);
    uint8_t *lp = set_scratch(old.len);
    int64_t removed = 0;

    if (lp == NULL)
        return -ENOMEM;
    memcpy(lp, old.ptr, old.len);
    for (int i = 0; i < count; i++) {
        uint32_t at = lp_find(lp, texts[i].ptr, texts[i].len, 0);

        if (at == 0)
            continue;
        lp_delete(lp, at, 1);
        removed++;
    }
    *ret_removed = removed;
    if (lp_first(lp) == 0)
        db_remove(ref);
    else if (removed > 0)
        return blob_store(ref, TYPE_SET,
                          (struct slice){.ptr = (const char *)lp, .len = lp_bytes(lp)});
    return 0;
}

static int
compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int
remove_from_ints(struct db_ref *ref, const struct set *s, const struct slice *texts, int count,
                 int64_t *ret_removed)
{
    uint32_t *at = set_scratch((size_t)count * sizeof *at), found = 0, n = 0;
    int64_t v;

    if (at == NULL)
        return -ENOMEM;
    for (int i = 0; i < count; i++)
        found += num_parse(texts[i].ptr, texts[i].len, &v) && intset_find(s->blob, v, &at[found]);
    qsort(at, found, sizeof *at, compare_places);
    for (uint32_t i = 0; i < found; i++)
        if (n == 0 || at[n - 1] != at[i])
            at[n++] = at[i];
    *ret_removed = n;
    if (n == s->count)
        db_remove(ref);
    else if (n > 0)
        return set_ints_remove(ref, at, n);
    return 0;
}

int
set_remove(struct db_ref *ref, const struct slice *members, int count, int64_t *ret_removed)
{
    struct set s = set_of(ref->rec);

    debug_check(record_type(ref->rec) == TYPE_SET && s.count > 0);
    switch (s.form) {
    case SET_INTS:
        return remove_from_ints(ref, &s, members, count, ret_removed);
    case SET_LISTPACK:
        return remove_from_listpack(ref, members, count, ret_removed);
    case SET_TABLE:
        return remove_from_table(ref, s.table, members, count, ret_removed);
    }
    never("a form of a set");
}
