/* server/data/zset/zroot.c - large sorted sets: table and tree together.  Sorting:
 * zentry_sort.c. */
#include "server/data/zset/zroot.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/keyhash.h"
#include "server/data/db/draw.h"

static inline uint64_t
rehash(const void *entry)
{
    return keyhash(zentry_member(entry));
}

static inline bool
has_member(const void *entry, const struct slice *member)
{
    return slice_equal(zentry_member(entry), *member);
}

#define LT_NAME              ztable
#define LT_REHASH(entry)     rehash(entry)
#define LT_KEY               const struct slice *
#define LT_EQUAL(entry, key) has_member(entry, key)
#include "server/data/db/ltable_arena.inc.h"

/* ---- all of it ---- */

const struct zroot *
zroot_new(void)
{
    struct zroot *z = mm_alloc(MM_VALUE, sizeof *z);

    if (z == NULL)
        return NULL;
    if (!arena_start(&z->table))
        goto free_root;
    if (!ztree_init(&z->tree))
        goto free_bucket;
    return z;
free_bucket:
    mm_free(z->table.segment[0]);
free_root:
    mm_free(z);
    return NULL;
}

bool
zroot_drop(const struct zroot *z, uint64_t where[16], uint64_t entries)
{
    if (where[0] == 0) { /* the table, and the entries with it */
        where[0] = ztable_drain(&z->table, &where[1], entries, arena_free_entry, NULL);
        return false;
    }
    if (!ztree_drop(&z->tree, where + 2, entries))
        return false;
    mm_free(z);
    return true;
}

void
zroot_free(const struct zroot *z)
{
    uint64_t where[16] = {0};

    while (!zroot_drop(z, where, UINT64_MAX))
        ;
}

const struct zroot *
zroot_copy(const struct zroot *z)
{
    const struct zroot *to = zroot_new();
    const struct zentry **sorted = NULL;
    struct zpath p;
    bool more = true;

    if (to == NULL)
        return NULL;
    if (zroot_count(z) == 0)
        return to;
    if (fault_point(FAULT_side_alloc) || (sorted = malloc(zroot_count(z) * sizeof *sorted)) == NULL)
        goto free_copy;
    ztree_seek(&z->tree, 0, &p);
    for (uint64_t i = 0; more; i++) {
        sorted[i] = zroot_collect(to, zpath_score(&p), zentry_member(zpath_entry(&p)));
        if (sorted[i] == NULL)
            goto free_copy;
        more = ztree_next(&p);
    }
    if (!zroot_plant(to, sorted))
        goto free_copy;
    free(sorted);
    return to;
free_copy:
    free(sorted);
    zroot_free(to);
    return NULL;
}

uint64_t
zroot_weigh(const struct zroot *z, uint64_t samples)
{
    uint64_t nodes, leaves = zroot_count(z) / (ZTREE_MAX * 7 / 10) + 1;

    if (samples == 0) {
        nodes = ztree_bytes(&z->tree);
    } else { /* seven tenths full, as such trees are */
        nodes =
            leaves * sizeof(struct zleaf) + leaves / (ZTREE_MAX * 7 / 10) * sizeof(struct zinner);
    }
    return mm_usable(z) + nodes + arena_weigh(&z->table, samples);
}

void
zroot_verify(const struct zroot *z)
{
    struct zpath p;

    ztable_check(&z->table);
    must(ztree_verify(&z->tree) == zroot_count(z));
    if (zroot_count(z) == 0)
        return;
    ztree_seek(&z->tree, 0, &p);
    do { /* ZR1 */
        must(zpath_score(&p) == zpath_entry(&p)->score);
        must(zroot_get(z, zentry_member(zpath_entry(&p))) == zpath_entry(&p));
    } while (ztree_next(&p));
}

/* ---- build ---- */

const struct zentry *
zroot_collect(const struct zroot *z, double score, struct slice member)
{
    const struct zentry *e = zentry_new(score, member);

    if (e != NULL && !ztable_insert(&z->table, keyhash(member), e)) {
        mm_free(e);
        e = NULL;
    }
    return e;
}

void
zroot_each(const struct zroot *z, ztable_visitor visit, void *ctx)
{
    for (uint64_t i = 0; i < z->table.buckets; i++)
        ztable_visit_chain(&z->table, i, visit, ctx);
}

bool
zroot_plant(const struct zroot *z, const struct zentry *const *sorted)
{
    const void *empty = z->tree.top;
    struct ztree tree;

    if (!ztree_build(&tree, sorted, zroot_count(z)))
        return false;
    ztree_set_top(&z->tree, tree.top, tree.height);
    mm_free(empty);
    return true;
}

/* ---- one member ---- */

const struct zentry *
zroot_get(const struct zroot *z, struct slice member)
{
    struct ztable_ref ref;

    return ztable_find(&z->table, keyhash(member), &member, &ref);
}

uint64_t
zroot_walk(const struct zroot *z, uint64_t cursor, ztable_visitor visit, void *ctx)
{
    return ztable_scan(&z->table, cursor, visit, ctx);
}

/* link_entry: an entry whose member, which has this hash, is not there.  0 or -ENOMEM. */
static int
link_entry(const struct zroot *z, uint64_t hash, const struct zentry *e)
{
    struct zroom room;
    struct zpath p;

    ztree_find(&z->tree, (struct zkey){e->score, zentry_member(e)}, &p);
    if (!ztree_reserve(&p, &room))
        return -ENOMEM;
    if (!ztable_insert(&z->table, hash, e)) {
        ztree_unreserve(&room);
        return -ENOMEM;
    }
    ztree_insert(&z->tree, &p, &room, e->score, e);
    return 0;
}

/* add: the entry too. */
static int
add(const struct zroot *z, double score, struct slice member, const struct zentry **ret)
{
    const struct zentry *e = zentry_new(score, member);

    if (e == NULL)
        return -ENOMEM;
    if (link_entry(z, keyhash(member), e) < 0) {
        mm_free(e);
        return -ENOMEM;
    }
    *ret = e;
    return 0;
}

void
zroot_expect(const struct zroot *z, uint64_t members)
{
    arena_expect(&z->table, members);
}

void
zroot_warm(const struct zroot *z, uint64_t hash)
{
    arena_warm(&z->table, hash);
}

int
zroot_enter(const struct zroot *z, uint64_t hash, const struct zentry *e)
{
    struct slice member = zentry_member(e);
    struct ztable_ref ref;

    debug_check(hash == keyhash(member));
    if (unlikely(ztable_find(&z->table, hash, &member, &ref) != NULL))
        return -EEXIST;
    return link_entry(z, hash, e);
}

int
zroot_add(const struct zroot *z, double score, struct slice member)
{
    const struct zentry *e;

    return add(z, score, member, &e);
}

static void
remove_from_table(const struct zroot *z, const struct zentry *e)
{
    uint64_t hash = keyhash(zentry_member(e));
    struct ztable_ref ref;

    must(ztable_find_entry(&z->table, hash, e, &ref));
    ztable_remove(&z->table, hash, ref);
}

static void
remove_from_tree(const struct zroot *z, double score, const struct zentry *e)
{
    struct zpath p;

    ztree_find_entry(&z->tree, score, e, &p);
    ztree_remove(&z->tree, &p, 1);
}

bool
zroot_remove(const struct zroot *z, struct slice member)
{
    uint64_t hash = keyhash(member);
    struct ztable_ref ref;
    const struct zentry *e = ztable_find(&z->table, hash, &member, &ref);

    if (e == NULL)
        return false;
    ztable_remove(&z->table, hash, ref);
    remove_from_tree(z, e->score, e);
    mm_free(e);
    return true;
}

void
zroot_cut(const struct zroot *z, uint64_t from, uint64_t count)
{
    while (count > 0) { /* a leaf, or a part of one, at a time */
        struct zpath p;
        uint64_t n;

        ztree_seek(&z->tree, from, &p);
        n = p.leaf->count - p.at < count ? p.leaf->count - p.at : count;
        for (unsigned i = 0; i < n; i++) {
            remove_from_table(z, p.leaf->entry[p.at + i]);
            mm_free(p.leaf->entry[p.at + i]);
        }
        ztree_remove(&z->tree, &p, (unsigned)n);
        count -= n;
    }
}

/* ---- several members ---- */

int
zroot_put(const struct zroot *z, const struct zentry *old, double score, struct slice member,
          struct zchange *ret)
{
    struct zroom room;
    struct zpath p;

    *ret = (struct zchange){.entry = old, .kind = ZCHANGE_NONE};
    if (old == NULL) {
        ret->kind = ZCHANGE_ADDED;
        return add(z, score, member, &ret->entry);
    }
    ret->old_score = old->score;
    if (old->score == score)
        return 0;
    ztree_find_entry(&z->tree, old->score, old, &p);
    if (ztree_restamp(&p, score)) {
        ret->kind = ZCHANGE_IN_PLACE;
    } else {
        ztree_find(&z->tree, (struct zkey){score, zentry_member(old)}, &p);
        if (!ztree_reserve(&p, &room))
            return -ENOMEM;
        ztree_insert(&z->tree, &p, &room, score, old);
        ret->kind = ZCHANGE_MOVED;
    }
    zentry_set_score(old, score);
    return 0;
}

void
zroot_commit(const struct zroot *z, const struct zchange *changes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (changes[i].kind == ZCHANGE_MOVED)
            remove_from_tree(z, changes[i].old_score, changes[i].entry);
}

static void
restamp_back(const struct zroot *z, const struct zchange *c)
{
    struct zpath p;

    ztree_find_entry(&z->tree, c->entry->score, c->entry, &p);
    must(ztree_restamp(&p, c->old_score)); /* between the same neighbours as before */
    zentry_set_score(c->entry, c->old_score);
}

void
zroot_take_back(const struct zroot *z, const struct zchange *changes, uint64_t count)
{
    while (count-- > 0) {
        const struct zchange *c = &changes[count];

        if (c->kind == ZCHANGE_IN_PLACE)
            restamp_back(z, c);
        if (c->kind == ZCHANGE_ADDED || c->kind == ZCHANGE_MOVED)
            remove_from_tree(z, c->entry->score, c->entry);
        if (c->kind == ZCHANGE_MOVED)
            zentry_set_score(c->entry, c->old_score);
        if (c->kind == ZCHANGE_ADDED) {
            remove_from_table(z, c->entry);
            mm_free(c->entry);
        }
    }
}
