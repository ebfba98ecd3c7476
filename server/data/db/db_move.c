/* server/data/db/db_move.c - see db_move.h.
 *
 * The walk is a scan (ltable_walk.inc.h) through each logical database in turn.  A step of the scan
 * shows the records of one chain.  These move at once, and their blobs; a structure that is not
 * done with what the step may do stays on a list of its chain's, and the scan waits until the list
 * is empty.  Between two steps such a key is known by its hash and its record's address, which is
 * compared, never followed (MV2).
 *
 * What grows faster than it is walked through would never be done: a walk through a structure, or
 * through all keys, ends when it has come to several times what was there when it began. */
#include "server/data/db/db_move.h"

#include "mm/base/keyhash.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/move.h"
#include "server/data/db/type.h"

enum {
    CHAIN = LT_CHAIN_MAX,
    TIMES = 4, /* an element has three pointers at most: to itself, to a node, to a bucket */
    SOME = 1000,
    HASHED_MAX = 4096 /* a key as long as this is known by its record's address alone */
};

struct db_move_figures db_move_figures;

/* A structure that is being walked through. */
struct unfinished {
    uint64_t hash;
    const void *record; /* an address to compare with */
    enum value_type type;
    bool has_moved;
    uint64_t left; /* pointers that the walk may still come to */
    struct move_cursor at;
};

static struct {
    int index;       /* logical database */
    uint64_t cursor; /* of the scan */
    bool is_scanned; /* the scan of this database is over, but for the list */
    uint64_t left;   /* keys that the walk may still come to */
    struct unfinished list[CHAIN];
    unsigned count;
} walk;

/* ---- one record ---- */

/* switch_record: another record of the key takes the place in the tables (D1). */
static void
switch_record(struct db *db, uint64_t hash, const struct record *old, const struct record *fresh)
{
    struct ktable_ref at;

    ktable_find_record(&db->keys, hash, old, &at);
    must(at.bucket != NULL);
    ktable_switch(at, fresh);
    for (enum db_list i = 0; i < DB_LISTS; i++) {
        if (!db_is_on_list(fresh, i))
            continue;
        ktable_find_record(db_list(db, i), hash, old, &at);
        must(at.bucket != NULL);
        ktable_switch(at, fresh);
    }
}

static const struct record *
move_record(struct db *db, const struct record *r, struct mover *m)
{
    uint64_t hash = mm_wants_move(r) ? keyhash(record_key(r)) : 0;
    const struct record *to = move_ask(m, r);

    if (to != r)
        switch_record(db, hash, r, to);
    return to;
}

/* changeable: the record, or a copy in its place if it may not be changed where it stands (R3).
 * NULL: no memory. */
static const struct record *
changeable(struct db *db, const struct record *r)
{
    struct record_spec spec;
    const struct record *fresh;

    if (!mm_is_frozen(r) || mm_usable(r) > RECORD_REPLACE_MAX)
        return r;
    record_spec_of(r, &spec);
    if ((fresh = record_new(&spec)) == NULL)
        return NULL;
    switch_record(db, keyhash(spec.key), r, fresh);
    record_free(r);
    return fresh;
}

/* move_value: the block that the record names.  Returns the record, which may be another one
 * now. */
static const struct record *
move_value(struct db *db, const struct record *r, struct mover *m)
{
    bool is_blob = record_encoding(r) == ENC_OUTER;
    const void *p = is_blob ? record_blob(r).ptr : record_root(r), *to;
    const struct record *w = r;
    struct record_spec spec;

    if (mm_wants_move(p) && (w = changeable(db, r)) == NULL) {
        m->stayed++;
        return r;
    }
    if ((to = move_ask(m, p)) == p)
        return w;
    record_spec_of(w, &spec);
    if (is_blob)
        spec.value.blob.ptr = to;
    else
        spec.value.root = to;
    must(record_rewrite(w, &spec)); /* R2 */
    return w;
}

static void
count_key(bool has_moved)
{
    db_move_figures.keys_moved += has_moved;
    db_move_figures.keys_stayed += !has_moved;
}

/* move_key: the record, its block, and as much as may be of its structure; what is left goes to the
 * list. */
static void
move_key(struct db *db, const struct record *r, struct mover *m)
{
    uint64_t moved = m->moved;
    struct move_cursor at = {.at = {0}};

    r = move_record(db, r, m);
    if (record_encoding(r) >= ENC_OUTER)
        r = move_value(db, r, m);
    if (record_encoding(r) != ENC_ROOT ||
        (m->left > 0 && type_of(record_type(r))->move(record_root(r), &at, m))) {
        count_key(m->moved != moved);
        return;
    }
    walk.list[walk.count++] = (struct unfinished){
        .hash = keyhash(record_key(r)),
        .record = r,
        .type = record_type(r),
        .has_moved = m->moved != moved,
        .left = SOME + TIMES * type_of(record_type(r))->elements(record_root(r)),
        .at = at};
}

/* ---- the list ---- */

struct search {
    const struct unfinished *u;
    const struct record *found;
};

static void
compare(void *ctx, const void *record)
{
    struct search *s = ctx;
    const struct record *r = record;

    if (record_type(r) == s->u->type && record_encoding(r) == ENC_ROOT &&
        (record == s->u->record ||
         (record_key_len(r) < HASHED_MAX && keyhash(record_key(r)) == s->u->hash)))
        s->found = r;
}

/* go_on: with the structure that came last to the list, if its key is still there. */
static void
go_on(struct db *db, struct mover *m)
{
    struct unfinished *u = &walk.list[walk.count - 1];
    struct search s = {.u = u};
    uint64_t moved = m->moved, seen = m->moved + m->stayed;
    bool done;

    if (db->keys.buckets > 0)
        (void)db_walk(db, u->hash, compare, &s); /* a scan's cursor is the low bits of a hash */
    m->left--;
    done = s.found == NULL || type_of(u->type)->move(record_root(s.found), &u->at, m);
    u->has_moved |= m->moved != moved;
    seen = m->moved + m->stayed - seen;
    u->left -= seen < u->left ? seen : u->left;
    if (!done && u->left > 0)
        return;
    count_key(u->has_moved);
    walk.count--;
}

/* ---- the walk ---- */

struct chain {
    const struct record *at[CHAIN];
    unsigned count;
};

static void
note(void *ctx, const void *record)
{
    struct chain *c = ctx;

    if (c->count < CHAIN) /* but where more hashes than that are the same */
        c->at[c->count++] = record;
}

static void
move_chain(struct db *db, struct mover *m)
{
    struct chain c = {.count = 0};

    walk.cursor = db_walk(db, walk.cursor, note, &c);
    walk.is_scanned = walk.cursor == 0;
    m->left--;
    for (unsigned i = 0; i < c.count; i++)
        move_key(db, c.at[i], m);
    walk.left -= c.count < walk.left ? c.count : walk.left;
}

bool
db_move(int64_t work)
{
    struct mover m = {.left = work};
    bool more = true;

    if (db_move_is_at_begin())
        walk.left = SOME + TIMES * db_total_keys();
    while (more && m.left > 0) {
        struct db *db = db_select(walk.index);

        if (walk.count > 0) {
            go_on(db, &m);
        } else if (walk.left == 0) {
            db_move_rewind();
            more = false;
        } else if (!walk.is_scanned) {
            move_chain(db, &m);
        } else {
            walk.is_scanned = false;
            walk.index = (walk.index + 1) % db_count();
            more = walk.index != 0;
        }
    }
    db_move_figures.moved += m.moved;
    db_move_figures.stayed += m.stayed;
    return more;
}

bool
db_move_is_at_begin(void)
{
    return walk.index == 0 && walk.cursor == 0 && !walk.is_scanned && walk.count == 0;
}

void
db_move_rewind(void)
{
    walk.index = 0;
    walk.cursor = 0;
    walk.is_scanned = false;
    walk.count = 0;
}

void
db_move_reset_figures(void)
{
    db_move_figures = (struct db_move_figures){.moved = 0};
}
