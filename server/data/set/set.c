/* server/data/set/set.c - the set type: read.  Changes: set_change.c, set_ints.c; sets of several:
 * set_combine.c. */
#include "server/data/set/set.h"

#include "server/data/db/draw.h"

struct set_limits set_limits = {
    .intset_members = 512, .listpack_members = 128, .listpack_member_bytes = 64};

bool
set_ints_are_few(uint64_t count)
{
    enum { MOST = 1 << 30 }; /* an intset's sizes are 32 bits */

    return count <= set_limits.intset_members && count <= MOST;
}

bool
set_is_small(uint64_t count, size_t longest)
{
    return count <= set_limits.listpack_members && longest <= set_limits.listpack_member_bytes;
}

struct set
set_of_value(const struct value *v)
{
    struct set s = {.blob = (const uint8_t *)v->blob.ptr};

    if (v->enc == ENC_ROOT) {
        s = (struct set){.form = SET_TABLE, .table = v->root};
        s.count = mtable_count(s.table);
    } else if (v->intset) {
        s.form = SET_INTS;
        s.count = intset_count(s.blob);
    } else {
        s.form = SET_LISTPACK;
        s.count = lp_count(s.blob);
    }
    return s;
}

struct set
set_of(const struct record *r)
{
    struct value v = {.enc = record_encoding(r)};

    debug_check(record_type(r) == TYPE_SET);
    if (v.enc == ENC_ROOT)
        v.root = record_root(r);
    else
        v.blob = record_blob(r);
    v.intset = record_has(r, RECORD_INTSET);
    return set_of_value(&v);
}

bool
set_has(const struct set *s, struct slice member)
{
    uint32_t at;
    int64_t v;

    switch (s->form) {
    case SET_INTS:
        return num_parse(member.ptr, member.len, &v) && intset_find(s->blob, v, &at);
    case SET_LISTPACK:
        return lp_find(s->blob, member.ptr, member.len, 0) != 0;
    case SET_TABLE:
        return mtable_has(s->table, mtable_hash(member), member);
    }
    never("a form of a set");
}

static struct slice
int_text(int64_t v, char *scratch)
{
    return (struct slice){.ptr = scratch, .len = (size_t)(num_put(scratch, v) - scratch)};
}

struct slice
set_draw(const struct set *s, char scratch[LP_INT_TEXT_BYTES])
{
    uint32_t at;

    debug_check(s->count > 0);
    if (s->form == SET_TABLE)
        return set_member_text(mtable_draw(s->table));
    if (s->form == SET_INTS)
        return int_text(intset_get(s->blob, draw_below(s->count)), scratch);
    at = lp_first(s->blob);
    for (uint64_t skip = draw_below(s->count); skip > 0; skip--)
        at = lp_next(s->blob, at);
    return lp_slice(s->blob, at, scratch);
}

/* ---- batches ---- */

static void
read_ahead(struct set_reader *r)
{
    r->ahead_count = mtable_next(r->set->table, &r->table_at, r->ahead, SET_BATCH);
}

void
set_reader_init(struct set_reader *r, const struct set *s)
{
    *r = (struct set_reader){.set = s, .at = s->form == SET_LISTPACK ? lp_first(s->blob) : 0};
    if (s->form == SET_TABLE)
        read_ahead(r);
}

static unsigned
read_ints(struct set_reader *r, struct set_batch *b)
{
    unsigned n = 0;

    for (; n < SET_BATCH && r->at < r->set->count; n++, r->at++) {
        b->integer[n] = intset_get(r->set->blob, r->at);
        b->text[n] = int_text(b->integer[n], b->scratch[n]);
        b->id[n] = r->at;
    }
    return n;
}

static unsigned
read_listpack(struct set_reader *r, struct set_batch *b)
{
    unsigned n = 0;

    for (; n < SET_BATCH && r->at != 0; n++) {
        b->text[n] = lp_slice(r->set->blob, (uint32_t)r->at, b->scratch[n]);
        b->id[n] = r->at;
        r->at = lp_next(r->set->blob, (uint32_t)r->at);
    }
    return n;
}

static unsigned
read_table(struct set_reader *r, struct set_batch *b)
{
    unsigned n = r->ahead_count;

    for (unsigned i = 0; i < n; i++) {
        b->text[i] = set_member_text(r->ahead[i]);
        b->id[i] = (uint64_t)(uintptr_t)r->ahead[i];
    }
    if (n > 0)
        read_ahead(r);
    return n;
}

unsigned
set_read(struct set_reader *r, struct set_batch *b)
{
    b->are_ints = r->set->form == SET_INTS;
    b->hashed = false;
    b->count = b->are_ints                    ? read_ints(r, b)
               : r->set->form == SET_LISTPACK ? read_listpack(r, b)
                                              : read_table(r, b);
    return b->count;
}

void
set_batch_hash(struct set_batch *b)
{
    if (b->hashed)
        return;
    for (unsigned i = 0; i < b->count; i++)
        b->hash[i] = mtable_hash(b->text[i]);
    b->hashed = true;
}

/* match_int: *hint: where the search goes on: both sets rise. */
static bool
match_int(const struct set *s, const struct set_batch *b, unsigned i, uint32_t *hint)
{
    uint32_t at;
    int64_t v;

    if (b->are_ints)
        return intset_find_from(s->blob, *hint, b->integer[i], hint);
    return num_parse(b->text[i].ptr, b->text[i].len, &v) && intset_find(s->blob, v, &at);
}

uint32_t
set_match(const struct set *s, struct set_batch *b, uint32_t asked, uint32_t *hint)
{
    uint32_t found = 0;

    if (s->form == SET_TABLE) {
        set_batch_hash(b);
        return mtable_probe(s->table, b->text, b->hash, asked);
    }
    for (uint32_t m = asked; m != 0; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        if (s->form == SET_INTS ? match_int(s, b, i, hint)
                                : lp_find(s->blob, b->text[i].ptr, b->text[i].len, 0) != 0)
            found |= 1U << i;
    }
    return found;
}

/* ---- walking ---- */

struct walk {
    void (*visit)(void *ctx, struct slice member, struct slice none);
    void *ctx;
};

static void
visit_member(void *ctx, const void *member)
{
    const struct walk *w = ctx;

    w->visit(w->ctx, set_member_text(member), (struct slice){.ptr = NULL});
}

uint64_t
set_walk(const struct record *r, uint64_t cursor,
         void (*visit)(void *ctx, struct slice member, struct slice none), void *ctx)
{
    struct set s = set_of(r);
    struct set_reader reader;
    struct set_batch b;

    if (s.form == SET_TABLE)
        return mtable_walk(s.table, cursor, visit_member, &(struct walk){visit, ctx});
    set_reader_init(&reader, &s);
    while (set_read(&reader, &b) > 0)
        for (unsigned i = 0; i < b.count; i++)
            visit(ctx, b.text[i], (struct slice){.ptr = NULL});
    return 0;
}

/* ---- from one form to another ---- */

const struct mtable *
set_table_of(const struct set *s)
{
    const struct mtable *t = mtable_new();
    struct set_reader reader;
    struct set_batch b;

    if (t == NULL)
        return NULL;
    set_reader_init(&reader, s);
    while (set_read(&reader, &b) > 0)
        for (unsigned i = 0; i < b.count; i++) {
            const struct set_member *m = set_member_new(b.text[i]);

            if (m == NULL || !mtable_add(t, mtable_hash(b.text[i]), m)) {
                if (m != NULL)
                    set_member_free(m);
                mtable_free(t);
                return NULL;
            }
        }
    return t;
}

size_t
set_listpack_bytes(const uint8_t *intset)
{
    enum { LONGEST_INT_ENTRY = 10 }; /* encoding, eight bytes, length */

    return LP_EMPTY_BYTES + (size_t)intset_count(intset) * LONGEST_INT_ENTRY;
}

size_t
set_listpack_of(const uint8_t *intset, uint8_t *dst)
{
    char scratch[LP_INT_TEXT_BYTES];
    size_t bytes = lp_init(dst);

    for (uint32_t i = 0; i < intset_count(intset); i++) {
        struct slice text = int_text(intset_get(intset, i), scratch);

        bytes = lp_append(dst, text.ptr, text.len);
    }
    return bytes;
}

size_t
set_longest_int(const uint8_t *intset)
{
    char scratch[LP_INT_TEXT_BYTES];
    size_t first, last;

    if (intset_count(intset) == 0)
        return 0;
    first = int_text(intset_get(intset, 0), scratch).len;
    last = int_text(intset_get(intset, intset_count(intset) - 1), scratch).len;
    return first > last ? first : last;
}
