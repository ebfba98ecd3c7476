/* server/data/hash/thash.c - large hashes with fields that expire: table and tree together. */
#include "server/data/hash/thash.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/keyhash.h"
#include "mm/mm.h"
#include "server/data/db/ltable_move.h"
#include "server/data/db/move.h"

static uint64_t next_number; /* thash_number()'s */

/* ---- pairs ---- */

const struct hash_pair *
tpair_new(struct slice field, struct slice value, int64_t expire_at_ms, uint64_t number)
{
    struct tpair_tail tail = {.expire_at_ms = expire_at_ms, .number = number};
    struct hash_pair *p;
    char *at;

    if (expire_at_ms == RECORD_NO_EXPIRE)
        return hash_pair_new(field, value);
    if (field.len > UINT32_MAX || value.len > UINT32_MAX)
        return NULL;
    p = mm_alloc(MM_VALUE, sizeof *p + field.len + sizeof tail + value.len);
    if (p == NULL)
        return NULL;
    p->field_len = (uint32_t)field.len;
    p->value_len = TPAIR_TIMED;
    tail.value_len = (uint32_t)value.len;
    at = p->bytes;
    memcpy(at, field.ptr, field.len);
    memcpy(at += field.len, &tail, sizeof tail);
    memcpy(at + sizeof tail, value.ptr, value.len);
    return p;
}

static struct stream_id
id_of(const struct hash_pair *p)
{
    struct tpair_tail t = tpair_tail(p);

    return (struct stream_id){.ms = (uint64_t)t.expire_at_ms, .seq = t.number};
}

/* into_tree: 0 or -ENOMEM. */
static int
into_tree(const struct thash *t, const struct hash_pair *p)
{
    return tpair_is_timed(p) ? idtree_put(&t->times, id_of(p), &p) : 0;
}

static void
out_of_tree(const struct thash *t, const struct hash_pair *p)
{
    if (tpair_is_timed(p))
        must(idtree_remove(&t->times, id_of(p))); /* H4 */
}

/* ---- all of it ---- */

const struct thash *
thash_of(const struct htable *table)
{
    struct thash *t = mm_alloc(MM_VALUE, sizeof *t);

    if (t == NULL)
        return NULL;
    *t = (struct thash){.table = *table, .times = {.value_bytes = sizeof(void *)}};
    return t;
}

const struct thash *
thash_new(void)
{
    const struct htable *table = htable_new();
    const struct thash *t;

    if (table == NULL)
        return NULL;
    if ((t = thash_of(table)) == NULL)
        htable_free(table);
    else
        mm_free(table);
    return t;
}

bool
thash_drop(const struct thash *t, uint64_t where[16], uint64_t pairs)
{
    enum { PATH = 1 };
    uint64_t budget = pairs;

    if (where[0] == 0) { /* the tree; then path[0] is where the table goes on */
        if (!idtree_drop(&t->times, where + PATH, &budget, NULL))
            return false;
        where[0] = 1;
        where[PATH] = 0;
        return false;
    }
    return htable_drop(&t->table, &where[PATH], pairs); /* the root goes with it: it comes first */
}

void
thash_free(const struct thash *t)
{
    uint64_t where[16] = {0};

    while (!thash_drop(t, where, UINT64_MAX))
        ;
}

struct copy {
    const struct thash *to;
    bool failed;
};

static void
copy_pair(void *ctx, const void *pair)
{
    struct copy *c = ctx;
    struct slice field = hash_pair_field(pair);
    const struct hash_pair *p;

    if (c->failed)
        return;
    p = tpair_new(field, tpair_value(pair), tpair_expire(pair), thash_number());
    if (p == NULL || thash_enter(c->to, keyhash(field), p) < 0) {
        if (p != NULL)
            hash_pair_free(p);
        c->failed = true;
    }
}

const struct thash *
thash_copy(const struct thash *t)
{
    struct copy c = {.to = thash_new()};

    if (c.to == NULL)
        return NULL;
    htable_each(&t->table, copy_pair, &c);
    if (!c.failed)
        return c.to;
    thash_free(c.to);
    return NULL;
}

uint64_t
thash_weigh(const struct thash *t, uint64_t samples)
{
    return htable_weigh(&t->table, samples) + idtree_bytes(&t->times);
}

struct verifying {
    const struct thash *t;
    uint64_t timed;
};

static void
verify_pair(void *ctx, const void *pair)
{
    struct verifying *v = ctx;
    const struct hash_pair *p = pair;
    const void *const *found;

    if (!tpair_is_timed(p))
        return;
    v->timed++;
    found = idtree_find(&v->t->times, id_of(p));
    must(found != NULL && *found == pair); /* H4 */
    must(tpair_tail(p).expire_at_ms >= 0 && tpair_tail(p).number < next_number);
}

void
thash_verify(const struct thash *t)
{
    struct verifying v = {.t = t};

    htable_verify(&t->table);
    idtree_verify(&t->times);
    htable_each(&t->table, verify_pair, &v);
    must(v.timed == t->times.count); /* H4 */
}

/* ---- moving ---- */

struct moving {
    const struct thash *t;
    struct mover *m;
};

static void
move_pair(void *ctx, const void *pair)
{
    const struct moving *v = ctx;
    const struct lt_moved table = LT_MOVED(&v->t->table, false);
    const struct hash_pair *p = pair, *to;
    uint64_t hash = mm_wants_move(p) ? keyhash(hash_pair_field(p)) : 0;

    if ((to = move_ask(v->m, p)) == p)
        return;
    ltable_entry_moved(&table, hash, p, to);
    if (tpair_is_timed(to))
        move_set(idtree_find(&v->t->times, id_of(to)), to); /* MV1 */
}

bool
thash_move(const struct thash *t, struct mover *m, uint64_t next[4])
{
    enum { STAGE, A, B };
    const struct lt_moved table = LT_MOVED(&t->table, false);
    struct moving v = {.t = t, .m = m};

    if (next[STAGE] == 0) { /* buckets */
        if (!ltable_move(m, &table, &next[A]))
            return false;
        next[STAGE] = 1;
        next[A] = next[B] = 0;
    }
    if (next[STAGE] == 1) { /* pairs */
        do
            next[A] = htable_walk(&t->table, next[A], move_pair, &v);
        while (next[A] != 0 && m->left > 0);
        if (next[A] != 0)
            return false;
        next[STAGE] = 2;
    }
    for (;;) { /* nodes of the tree */
        struct stream_id id = {next[A], next[B]};
        bool done = idtree_move(&t->times, m, &id, false);

        next[A] = id.ms;
        next[B] = id.seq;
        return done;
    }
}

/* ---- times ---- */

int64_t
thash_first(const struct thash *t)
{
    struct idcursor c;

    if (!idcursor_from(&c, &t->times, (struct stream_id){0, 0}))
        return RECORD_NO_EXPIRE;
    return (int64_t)idcursor_id(&c).ms;
}

const struct hash_pair *
thash_earliest(const struct thash *t)
{
    struct idcursor c;
    const struct hash_pair *p;

    if (!idcursor_from(&c, &t->times, (struct stream_id){0, 0}))
        return NULL;
    memcpy(&p, idcursor_value(&c), sizeof p);
    return p;
}

uint64_t
thash_number(void)
{
    return next_number++;
}

/* ---- change ---- */

/* Several pairs at once, as in hash_table.c: first all that may fail, the places in the tree too;
 * then one by one into the table, so that the way back is open until the last one is in. */
struct change {
    const struct hash_pair *fresh, *old;
};

/* make: the fresh pair of an item, with its place in the tree.  NULL: no memory. */
static const struct hash_pair *
make(const struct thash *t, const struct hash_item *item)
{
    uint64_t number = item->expire_at_ms == RECORD_NO_EXPIRE ? 0 : thash_number();
    struct slice value = item->value;
    const struct hash_pair *p;

    if (value.ptr == NULL) {
        p = htable_get(&t->table, item->field);
        must(p != NULL);
        value = tpair_value(p);
    }
    if ((p = tpair_new(item->field, value, item->expire_at_ms, number)) == NULL)
        return NULL;
    if (into_tree(t, p) == 0)
        return p;
    hash_pair_free(p);
    return NULL;
}

static void
unmake(const struct thash *t, const struct change *c, int count)
{
    while (--count >= 0) {
        out_of_tree(t, c[count].fresh);
        hash_pair_free(c[count].fresh);
    }
}

static void
take_back(const struct thash *t, const struct change *done, int count)
{
    const struct hash_pair *self;

    while (--count >= 0) {
        if (done[count].old == NULL)
            (void)htable_take(&t->table, hash_pair_field(done[count].fresh));
        else
            must(htable_put(&t->table, done[count].old, &self)); /* it is there: cannot fail */
    }
}

/* commit: what was replaced goes; returns how many fields are new. */
static int64_t
commit(const struct thash *t, const struct change *c, int count, int64_t now_ms)
{
    int64_t added = 0;

    for (int i = 0; i < count; i++) {
        const struct hash_pair *old = c[i].old;

        added += old == NULL || (tpair_is_timed(old) && tpair_expire(old) < now_ms);
        if (old == NULL)
            continue;
        out_of_tree(t, old);
        hash_pair_free(old);
    }
    return added;
}

static int
set_all(const struct thash *t, struct change *c, const struct hash_item *items, int count)
{
    for (int i = 0; i < count; i++)
        if ((c[i].fresh = make(t, &items[i])) == NULL) {
            unmake(t, c, i);
            return -ENOMEM;
        }
    for (int i = 0; i < count; i++)
        if (!htable_put(&t->table, c[i].fresh, &c[i].old)) {
            take_back(t, c, i);
            unmake(t, c, count);
            return -ENOMEM;
        }
    return 0;
}

int
thash_set(const struct thash *t, const struct hash_item *items, int count, int64_t now_ms,
          int64_t *ret_added)
{
    enum { ON_STACK = 64 };
    struct change few[ON_STACK], *c = few;
    int r;

    if (count > ON_STACK && (c = malloc((size_t)count * sizeof *c)) == NULL)
        return -ENOMEM;
    if ((r = set_all(t, c, items, count)) == 0)
        *ret_added = commit(t, c, count, now_ms);
    if (c != few)
        free(c);
    return r;
}

int
thash_enter(const struct thash *t, uint64_t hash, const struct hash_pair *p)
{
    int r = htable_enter(&t->table, hash, p);

    if (r == 0 && (r = into_tree(t, p)) < 0)
        (void)htable_take(&t->table, hash_pair_field(p));
    return r;
}

void
thash_remove(const struct thash *t, const struct hash_pair *p)
{
    must(htable_take(&t->table, hash_pair_field(p)) == p);
    out_of_tree(t, p);
    hash_pair_free(p);
}
