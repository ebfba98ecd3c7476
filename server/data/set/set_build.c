/* server/data/set/set_build.c - a new set from members as they come: SINTERSTORE and its kin, SPOP
 * of most of a set. It takes the forms that Redis 7.2 gives it: integers while they are few, then a
 * listpack, then a table. */
#include <errno.h>
#include <stdlib.h>

#include "server/data/set/set_combine.h"
#include "server/data/set/set_impl.h"

void
set_build_init(struct set_build *b, enum set_form form, bool distinct)
{
    *b = (struct set_build){.form = form, .distinct = distinct, .only_ints = true};
}

void
set_build_free(struct set_build *b)
{
    free(b->integers);
    free(b->listpack);
    if (b->table != NULL)
        db_bury(TYPE_SET, b->table);
    b->integers = NULL;
    b->listpack = NULL;
    b->table = NULL;
}

/* grow: at least so many bytes of memory at *p. */
static bool
grow(void **p, size_t *room, size_t bytes)
{
    void *more;

    if (bytes <= *room)
        return true;
    bytes += bytes / 2 + 256;
    if ((more = realloc(*p, bytes)) == NULL)
        return false;
    *p = more;
    *room = bytes;
    return true;
}

static struct slice
int_text(int64_t v, char *scratch)
{
    return (struct slice){.ptr = scratch, .len = (size_t)(num_put(scratch, v) - scratch)};
}

/* ---- a table ---- */

static bool
put_in_table(struct set_build *b, uint64_t hash, struct slice text)
{
    const struct set_member *m;

    if (!b->distinct && mtable_has(b->table, hash, text))
        return true;
    if ((m = set_member_new(text)) == NULL)
        return false;
    if (mtable_add(b->table, hash, m))
        return true;
    set_member_free(m);
    return false;
}

static bool
add_to_table(struct set_build *b, struct set_batch *batch, uint32_t which)
{
    set_batch_hash(batch);
    mtable_warm(b->table, batch->hash, batch->count);
    for (; which != 0; which &= which - 1) {
        unsigned i = (unsigned)__builtin_ctz(which);

        if (!put_in_table(b, batch->hash[i], batch->text[i]))
            return false;
    }
    return true;
}

/* become_table: with what there is so far. */
static bool
become_table(struct set_build *b)
{
    char scratch[LP_INT_TEXT_BYTES];

    if (b->form == SET_LISTPACK && b->listpack != NULL) {
        struct set s = {.form = SET_LISTPACK, .blob = b->listpack, .count = lp_count(b->listpack)};

        b->table = set_table_of(&s);
    } else {
        b->table = mtable_new();
        for (uint64_t i = 0; b->form == SET_INTS && i < b->count && b->table != NULL; i++) {
            struct slice text = int_text(b->integers[i], scratch);

            if (!put_in_table(b, mtable_hash(text), text))
                return false;
        }
    }
    b->form = SET_TABLE;
    return b->table != NULL;
}

/* ---- a listpack ---- */

/* put_in_listpack: false: it does not fit.  *ret_error: no memory. */
static bool
put_in_listpack(struct set_build *b, struct slice text, int *ret_error)
{
    void *p = b->listpack;
    bool is_new = p == NULL;

    if (!is_new && !b->distinct && lp_find(p, text.ptr, text.len, 0) != 0)
        return true;
    if (!set_is_small((is_new ? 0 : (uint64_t)lp_count(p)) + 1, text.len) ||
        (is_new ? 0 : lp_bytes(p)) + (uint64_t)text.len + 16 > SET_LISTPACK_MAX_BYTES)
        return false;
    if (!grow(&p, &b->listpack_room,
              (is_new ? LP_EMPTY_BYTES : lp_bytes(p)) +
                  (size_t)lp_entry_bytes(text.ptr, text.len))) {
        *ret_error = -ENOMEM;
        return true;
    }
    b->listpack = p;
    if (is_new)
        lp_init(p);
    lp_append(p, text.ptr, text.len);
    return true;
}

static bool
add_to_listpack(struct set_build *b, struct set_batch *batch, uint32_t which)
{
    for (; which != 0; which &= which - 1) {
        unsigned i = (unsigned)__builtin_ctz(which);

        if (!put_in_listpack(b, batch->text[i], &b->error))
            return become_table(b) && add_to_table(b, batch, which);
        if (b->error != 0)
            return false;
    }
    return true;
}

/* ---- integers ---- */

/* settle: those that came so far, each once, rising. */
static void
settle(struct set_build *b)
{
    b->count = set_ints_sort(b->integers, (uint32_t)b->count);
    b->sorted_at = b->count * 2 + 64;
}

/* leave_ints: a member that is no integer, or one too many: they become a listpack, or a table. */
static bool
leave_ints(struct set_build *b, struct slice next)
{
    char scratch[LP_INT_TEXT_BYTES];

    settle(b);
    if (!set_ints_are_few(b->count) || !set_is_small(b->count + 1, next.len))
        return become_table(b);
    b->form = SET_LISTPACK;
    for (uint64_t i = 0; i < b->count; i++) {
        struct slice text = int_text(b->integers[i], scratch);

        if (!put_in_listpack(b, text, &b->error)) { /* a number too long for a limit */
            b->form = SET_INTS;
            return become_table(b);
        }
    }
    return b->error == 0;
}

static bool
put_int(struct set_build *b, int64_t v)
{
    void *p = b->integers;
    size_t room = b->room * sizeof v;

    if (!grow(&p, &room, (b->count + 1) * sizeof v))
        return false;
    b->integers = p;
    b->room = room / sizeof v;
    b->integers[b->count++] = v;
    return true;
}

static bool
add_to_ints(struct set_build *b, struct set_batch *batch, uint32_t which)
{
    for (; which != 0; which &= which - 1) {
        unsigned i = (unsigned)__builtin_ctz(which);
        int64_t v = batch->integer[i];

        if (!batch->are_ints && !num_parse(batch->text[i].ptr, batch->text[i].len, &v)) {
            return leave_ints(b, batch->text[i]) && set_build_add(b, batch, which);
        }
        if (!put_int(b, v))
            return false;
        if (set_ints_are_few(b->count) || b->count < b->sorted_at)
            continue;
        settle(b);
        if (!set_ints_are_few(b->count))
            return become_table(b) && add_to_table(b, batch, which & (which - 1));
    }
    return true;
}

/* note_kind: are they all integers? */
static void
note_kind(struct set_build *b, const struct set_batch *batch, uint32_t which)
{
    int64_t v;

    if (batch->are_ints)
        return;
    for (; which != 0 && b->only_ints; which &= which - 1) {
        struct slice text = batch->text[__builtin_ctz(which)];

        b->only_ints = num_parse(text.ptr, text.len, &v);
    }
}

static bool
add_members(struct set_build *b, struct set_batch *batch, uint32_t which)
{
    switch (b->form) {
    case SET_INTS:
        return add_to_ints(b, batch, which);
    case SET_LISTPACK:
        return add_to_listpack(b, batch, which);
    case SET_TABLE:
        return add_to_table(b, batch, which);
    }
    never("a form of a set");
}

bool
set_build_add(void *build, struct set_batch *batch, uint32_t which)
{
    struct set_build *b = build;

    if (b->error != 0)
        return false;
    note_kind(b, batch, which);
    if (!add_members(b, batch, which))
        b->error = -ENOMEM;
    return b->error == 0;
}

/* ---- the end ---- */

/* finish: what is only sorted at the end, and the count. */
static uint64_t
finish(struct set_build *b)
{
    if (b->form == SET_INTS && b->error == 0) {
        settle(b);
        if (b->count > 0 && !set_ints_are_few(b->count) && !become_table(b))
            b->error = -ENOMEM;
    }
    return b->form == SET_INTS    ? b->count
           : b->form == SET_TABLE ? (b->table == NULL ? 0 : mtable_count(b->table))
                                  : (b->listpack == NULL ? 0 : lp_count(b->listpack));
}

/* as_intset: the integers as an intset, in memory that is b's own; NULL: no memory. */
static const uint8_t *
as_intset(struct set_build *b)
{
    unsigned width = 2;
    uint8_t *p;

    for (uint64_t i = 0; i < b->count; i++)
        if (intset_width_of(b->integers[i]) > width)
            width = intset_width_of(b->integers[i]);
    if ((p = malloc(intset_bytes(width, b->count))) == NULL)
        return NULL;
    for (uint64_t i = 0; i < b->count; i++)
        intset_store(p + INTSET_HEADER_BYTES, width, i, b->integers[i]);
    intset_put_header(p, width, (uint32_t)b->count);
    free(b->listpack);
    return b->listpack = p;
}

/* back_to_ints: a listpack or table that has integers only, and few, as SINTERSTORE may end
 * with. */
static void
back_to_ints(struct set_build *b)
{
    struct set s = {.form = b->form, .blob = b->listpack, .table = b->table};
    struct set_reader r;
    struct set_batch batch;
    int64_t v;

    s.count = b->form == SET_TABLE ? mtable_count(b->table) : lp_count(b->listpack);
    b->count = 0;
    set_reader_init(&r, &s);
    while (set_read(&r, &batch) > 0)
        for (unsigned i = 0; i < batch.count; i++)
            if (!num_parse(batch.text[i].ptr, batch.text[i].len, &v) || !put_int(b, v)) {
                b->error = -ENOMEM;
                return;
            }
    if (b->table != NULL)
        db_bury(TYPE_SET, b->table);
    b->table = NULL;
    b->form = SET_INTS;
    settle(b);
}

int
set_build_view(struct set_build *b, struct set *ret)
{
    *ret = (struct set){.form = b->form, .count = finish(b)};
    if (b->error != 0)
        return b->error;
    ret->form = b->form;
    ret->table = b->table;
    ret->blob = b->form == SET_INTS ? as_intset(b) : b->listpack;
    return ret->form == SET_INTS && ret->blob == NULL ? -ENOMEM : 0;
}

/* make_value: its block or table is not b's any more. */
static int
make_value(struct set_build *b, size_t key_len, struct value *ret)
{
    struct set s;

    if (set_build_view(b, &s) < 0)
        return -ENOMEM;
    if (s.form == SET_TABLE) {
        *ret = (struct value){.type = TYPE_SET, .enc = ENC_ROOT, .root = b->table};
        b->table = NULL;
        return 0;
    }
    must(s.blob != NULL); /* it is not empty */
    if (value_blob(ret, TYPE_SET,
                   (struct slice){(const char *)s.blob,
                                  s.form == SET_INTS ? intset_bytes(intset_width(s.blob), s.count)
                                                     : lp_bytes(s.blob)},
                   key_len) < 0)
        return -ENOMEM;
    ret->intset = s.form == SET_INTS;
    return 0;
}

int
set_build_store(struct set_build *b, struct db_ref *ref, int64_t expire_at_ms, uint64_t *ret_count)
{
    uint64_t count = finish(b);
    struct value v;
    int r = b->error;

    if (r == 0 && count > 0 && b->form != SET_INTS && b->only_ints && set_ints_are_few(count))
        back_to_ints(b);
    if ((r = b->error) == 0 && count > 0 && (r = make_value(b, ref->key.len, &v)) == 0 &&
        (r = db_store(ref, &v, expire_at_ms)) < 0)
        value_free(&v);
    set_build_free(b);
    *ret_count = count;
    return r;
}
