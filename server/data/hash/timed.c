/* server/data/hash/timed.c - hashes with fields that expire: reading, and what both forms have in
 * common.  Small ones: timed_blob.c; large ones: thash.c. */
#include "server/data/hash/timed.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/data/db/draw.h"
#include "server/data/hash/hash_impl.h"

static bool
is_large(const struct record *r)
{
    return record_encoding(r) == ENC_ROOT;
}

bool
timed_is_over(int64_t expire_at_ms)
{
    return expire_at_ms != RECORD_NO_EXPIRE && expire_at_ms < clock_now.ms;
}

/* ---- read ---- */

uint64_t
timed_len(const struct record *r)
{
    return is_large(r) ? thash_count(record_root(r)) : lp_count(tblob_listpack(record_blob(r))) / 3;
}

int64_t
timed_first(const struct record *r)
{
    return is_large(r) ? thash_first(record_root(r)) : tblob_first(record_blob(r));
}

bool
timed_has_expired(const struct record *r)
{
    return timed_is_over(timed_first(r));
}

bool
timed_get(const struct record *r, struct slice field, char text[LP_INT_TEXT_BYTES],
          struct slice *ret, int64_t *ret_expire_ms)
{
    const struct hash_pair *p;
    const uint8_t *lp;
    uint32_t at;

    if (is_large(r)) {
        const struct thash *t = record_root(r);

        if ((p = htable_get(&t->table, field)) == NULL || timed_is_over(tpair_expire(p)))
            return false;
        *ret = tpair_value(p);
        *ret_expire_ms = tpair_expire(p);
        return true;
    }
    lp = tblob_listpack(record_blob(r));
    if ((at = lp_find(lp, field.ptr, field.len, 2)) == 0 || timed_is_over(tblob_time(lp, at)))
        return false;
    *ret = lp_slice(lp, lp_next(lp, at), text);
    *ret_expire_ms = tblob_time(lp, at);
    return true;
}

static void
each_in_blob(const uint8_t *lp, timed_visitor visit, void *ctx)
{
    char text[2][LP_INT_TEXT_BYTES];

    for (uint32_t at = lp_first(lp), value_at; at != 0; at = lp_next(lp, lp_next(lp, value_at))) {
        value_at = lp_next(lp, at);
        visit(ctx, lp_slice(lp, at, text[0]), lp_slice(lp, value_at, text[1]), tblob_time(lp, at));
    }
}

struct visiting {
    timed_visitor visit;
    void *ctx;
};

static void
visit_pair(void *ctx, const void *pair)
{
    const struct visiting *v = ctx;

    v->visit(v->ctx, hash_pair_field(pair), tpair_value(pair), tpair_expire(pair));
}

void
timed_each_with_time(const struct record *r, timed_visitor visit, void *ctx)
{
    const struct thash *t;

    if (!is_large(r)) {
        each_in_blob(tblob_listpack(record_blob(r)), visit, ctx);
        return;
    }
    t = record_root(r);
    htable_each(&t->table, visit_pair, &(struct visiting){visit, ctx});
}

/* Those that are shown. */
struct showing {
    hash_visitor visit;
    void *ctx;
};

static void
show(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    const struct showing *s = ctx;

    if (!timed_is_over(expire_at_ms))
        s->visit(s->ctx, field, value);
}

void
timed_each(const struct record *r, hash_visitor visit, void *ctx)
{
    timed_each_with_time(r, show, &(struct showing){visit, ctx});
}

uint64_t
timed_walk(const struct record *r, uint64_t cursor, hash_visitor visit, void *ctx)
{
    struct showing s = {visit, ctx};
    const struct thash *t;

    if (is_large(r)) {
        t = record_root(r);
        return htable_walk(&t->table, cursor, visit_pair, &(struct visiting){show, &s});
    }
    each_in_blob(tblob_listpack(record_blob(r)), show, &s);
    return 0;
}

static void
count_shown(void *ctx, struct slice field, struct slice value)
{
    (void)field;
    (void)value;
    ++*(uint64_t *)ctx;
}

uint64_t
timed_shown(const struct record *r)
{
    uint64_t n = 0;

    if (!timed_has_expired(r))
        return timed_len(r);
    timed_each(r, count_shown, &n);
    return n;
}

uint64_t
timed_shown_upto(const struct record *r, uint64_t most)
{
    const struct thash *t;
    struct idcursor c;
    uint64_t n;
    bool more;

    if (!is_large(r) || !timed_has_expired(r)) {
        n = timed_shown(r);
        return n < most ? n : most;
    }
    /* Those without a time, and from the last time back. */
    t = record_root(r);
    n = t->table.count - t->times.count;
    more = n < most && idcursor_upto(&c, &t->times, (struct stream_id){INT64_MAX, UINT64_MAX});
    for (; more && n < most && !timed_is_over((int64_t)idcursor_id(&c).ms);
         more = idcursor_prev(&c))
        n++;
    return n < most ? n : most;
}

/* ---- at random ---- */

/* The first pair that a walk shows. */
struct first {
    const struct hash_pair *pair;
};

static void
take_first(void *ctx, const void *pair)
{
    struct first *f = ctx;

    if (f->pair == NULL && !timed_is_over(tpair_expire(pair)))
        f->pair = pair;
}

/* draw_pair: one that is shown; NULL: there is none.  Where draws meet nothing but fields whose
 * time has passed, what a walk from some place on meets first: not quite evenly, but without a look
 * at all of them. */
static const struct hash_pair *
draw_pair(const struct thash *t)
{
    enum { DRAWS = 64 };
    struct first f = {.pair = NULL};
    uint64_t cursor = draw_below(t->table.buckets);

    for (int i = 0; i < DRAWS; i++) {
        const struct hash_pair *p = htable_draw(&t->table);

        if (!timed_is_over(tpair_expire(p)))
            return p;
    }
    for (int part = 0; part < 2 && f.pair == NULL; part++, cursor = 0)
        do
            cursor = htable_walk(&t->table, cursor, take_first, &f);
        while (f.pair == NULL && cursor != 0);
    return f.pair;
}

/* One of those that are shown, by its rank among them. */
struct ranked {
    uint64_t left;
    hash_visitor visit;
    void *ctx;
};

static void
visit_ranked(void *ctx, struct slice field, struct slice value)
{
    struct ranked *k = ctx;

    if (k->left-- == 0)
        k->visit(k->ctx, field, value);
}

void
timed_draw(const struct record *r, hash_visitor visit, void *ctx)
{
    struct ranked k = {.visit = visit, .ctx = ctx};
    const struct hash_pair *p;
    uint64_t shown;

    if (is_large(r)) {
        if ((p = draw_pair(record_root(r))) != NULL)
            visit(ctx, hash_pair_field(p), tpair_value(p));
        return;
    }
    if ((shown = timed_shown(r)) == 0)
        return;
    k.left = draw_below(shown);
    timed_each(r, visit_ranked, &k);
}

/* ---- change ---- */

/* become_plain: H5: a large hash without a time gives its root to a plain one. */
static void
become_plain(struct db_ref *ref)
{
    const struct thash *t = record_root(ref->rec);
    struct value v = {.type = TYPE_HASH, .enc = ENC_ROOT, .root = &t->table};

    if (t->times.count == 0)
        (void)db_recast(ref, &v);
}

static int
become_timed(struct db_ref *ref)
{
    const void *old = record_root(ref->rec);
    struct value v = {
        .type = TYPE_TIMED_HASH, .enc = ENC_ROOT, .timed = true, .root = thash_of(old)};

    if (v.root == NULL)
        return -ENOMEM;
    if (db_recast(ref, &v) < 0) {
        mm_free(v.root);
        return -ENOMEM;
    }
    mm_free(old);
    return 0;
}

static int
put_in_table(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added)
{
    int r;

    if (!record_is_timed(ref->rec) && become_timed(ref) < 0)
        return -ENOMEM;
    r = thash_set(record_root(ref->rec), items, count, clock_now.ms, ret_added);
    become_plain(ref);
    return r;
}

/* ---- a blob, or nothing, becomes a table ---- */

struct filling {
    const struct thash *to;
    bool failed;
};

static void
fill(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct hash_item item = {field, value, expire_at_ms};
    struct filling *f = ctx;
    int64_t ignored;

    f->failed = f->failed || thash_set(f->to, &item, 1, 0, &ignored) < 0;
}

static void
fill_plain(void *ctx, struct slice field, struct slice value)
{
    fill(ctx, field, value, RECORD_NO_EXPIRE);
}

/* table_of: of what is at ref; NULL: no memory. */
static const struct thash *
table_of(const struct db_ref *ref)
{
    struct filling f = {.to = thash_new()};

    if (f.to == NULL || ref->rec == NULL)
        return f.to;
    if (record_is_timed(ref->rec))
        timed_each_with_time(ref->rec, fill, &f);
    else
        hash_each(ref->rec, fill_plain, &f);
    if (!f.failed)
        return f.to;
    thash_free(f.to);
    return NULL;
}

static int
convert(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added)
{
    struct value v = {.type = TYPE_TIMED_HASH, .enc = ENC_ROOT, .timed = true};
    int64_t expire = ref->rec != NULL ? record_expire(ref->rec) : RECORD_NO_EXPIRE, added;
    const struct thash *t;

    if ((v.root = t = table_of(ref)) == NULL)
        return -ENOMEM;
    if (thash_set(t, items, count, clock_now.ms, &added) < 0)
        goto free_table;
    if (t->times.count == 0) {
        v.type = TYPE_HASH;
        v.timed = false;
    }
    if (db_store(ref, &v, expire) < 0)
        goto free_table;
    *ret_added = added;
    return 0;
free_table:
    thash_free(t);
    return -ENOMEM;
}

int
timed_put(struct db_ref *ref, const struct hash_item *items, int count, int64_t *ret_added)
{
    int r;

    debug_check(count > 0);
    if (ref->rec != NULL && is_large(ref->rec))
        return put_in_table(ref, items, count, ret_added);
    if ((r = tblob_put(ref, items, count, ret_added)) <= 0)
        return r;
    return convert(ref, items, count, ret_added);
}

int
timed_delete(struct db_ref *ref, const struct slice *fields, int count, int64_t *ret_deleted)
{
    const struct thash *t;

    if (!is_large(ref->rec))
        return tblob_delete(ref, fields, count, ret_deleted);
    t = record_root(ref->rec);
    *ret_deleted = 0;
    for (int i = 0; i < count && thash_count(t) > 0; i++) {
        const struct hash_pair *p = htable_get(&t->table, fields[i]);

        if (p == NULL || timed_is_over(tpair_expire(p)))
            continue;
        thash_remove(t, p);
        ++*ret_deleted;
    }
    if (thash_count(t) == 0)
        db_remove(ref);
    else
        become_plain(ref);
    return 0;
}

/* ---- expire ---- */

static unsigned
expire_in_table(struct db_ref *ref, unsigned limit)
{
    const struct thash *t = record_root(ref->rec);
    const struct hash_pair *p;
    unsigned gone = 0;

    while (gone < limit && (p = thash_earliest(t)) != NULL && timed_is_over(tpair_expire(p))) {
        db_field_expired(ref, hash_pair_field(p));
        thash_remove(t, p);
        gone++;
    }
    if (gone == 0)
        return 0;
    db_fields_expired(ref, thash_count(t) == 0);
    if (ref->rec != NULL)
        become_plain(ref);
    return gone;
}

unsigned
timed_expire(struct db_ref *ref, unsigned limit)
{
    return is_large(ref->rec) ? expire_in_table(ref, limit) : tblob_expire(ref);
}
