/* server/data/db/idtree_walk.c - walking through trees, freeing and verifying them. */
#include <string.h>

#include "server/data/db/idtree.h"

#include "mm/mm.h"

/* descend: from the child at node[level], at[level] down to a leaf, on the side of the first or
 * last. */
static bool
descend(struct idcursor *c, unsigned level, bool to_last)
{
    for (; level < c->tree->height; level++) {
        const struct idnode *child = idnode_child(c->node[level], c->at[level]);

        c->node[level + 1] = child;
        c->at[level + 1] = to_last ? child->count - 1u : 0;
    }
    return true;
}

bool
idcursor_next(struct idcursor *c)
{
    for (unsigned level = c->tree->height + 1; level-- > 0;)
        if (c->at[level] + 1 < c->node[level]->count) {
            c->at[level]++;
            return descend(c, level, false);
        }
    return false;
}

bool
idcursor_prev(struct idcursor *c)
{
    for (unsigned level = c->tree->height + 1; level-- > 0;)
        if (c->at[level] > 0) {
            c->at[level]--;
            return descend(c, level, true);
        }
    return false;
}

/* upto: how many entries of n, from the first on, are not above the id. */
static unsigned
upto(const struct idnode *n, struct stream_id id)
{
    unsigned low = 0, high = n->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (stream_id_compare(idnode_id(n, middle), id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
idcursor_upto(struct idcursor *c, const struct idtree *t, struct stream_id id)
{
    const struct idnode *n = t->root;
    unsigned here = 0;

    c->tree = t;
    if (n == NULL)
        return false;
    for (unsigned level = 0;; level++) {
        here = upto(n, id);
        c->node[level] = n;
        c->at[level] = here > 0 ? here - 1 : 0;
        if (level == t->height)
            return here > 0 || idcursor_prev(c);
        n = idnode_child(n, c->at[level]);
    }
}

bool
idcursor_from(struct idcursor *c, const struct idtree *t, struct stream_id id)
{
    if (t->root == NULL)
        return false;
    if (idcursor_upto(c, t, id))
        return stream_id_compare(idcursor_id(c), id) == 0 || idcursor_next(c);
    c->node[0] = t->root; /* all are above */
    c->at[0] = 0;
    return descend(c, 0, false);
}

struct stream_id
idcursor_id(const struct idcursor *c)
{
    return idnode_id(c->node[c->tree->height], c->at[c->tree->height]);
}

const void *
idcursor_value(const struct idcursor *c)
{
    return idnode_value(c->node[c->tree->height], c->at[c->tree->height]);
}

/* ---- freeing ---- */

/* A step of the path that idtree_drop() goes: the node, and the next of its entries. */
static uint64_t
step(const struct idnode *n, unsigned at)
{
    return (uint64_t)(uintptr_t)n | (uint64_t)at << 48;
}

static const struct idnode *
step_node(uint64_t s)
{
    uintptr_t address = (uintptr_t)(s & (((uint64_t)1 << 48) - 1));
    const struct idnode *n;

    memcpy(&n, &address, sizeof n);
    return n;
}

/* path[0]: how many steps follow, plus one; 0: not begun. */
bool
idtree_drop(const struct idtree *t, uint64_t *path, uint64_t *budget,
            void (*free_value)(const void *value))
{
    if (path[0] == 0) {
        path[0] = 1 + (t->root != NULL);
        path[1] = step(t->root, 0);
    }
    while (path[0] > 1) {
        uint64_t *top = &path[path[0] - 1];
        const struct idnode *n = step_node(*top);
        unsigned at = (unsigned)(*top >> 48);

        if (at == n->count) {
            mm_free(n);
            path[0]--;
            continue;
        }
        if (*budget == 0)
            return false;
        *top = step(n, at + 1);
        if (path[0] - 2 < t->height) {
            path[path[0]++] = step(idnode_child(n, at), 0);
            continue;
        }
        if (free_value != NULL)
            free_value(idnode_value(n, at));
        --*budget;
    }
    return true;
}

uint64_t
idtree_bytes(const struct idtree *t)
{
    uint64_t bytes = 0, nodes;

    if (t->root == NULL)
        return 0;
    if (t->height == 0)
        return mm_usable(t->root);
    nodes = t->count / idnode_room(t->value_bytes) + 1;
    for (unsigned level = 0; level <= t->height; level++) {
        bytes += nodes * IDNODE_BYTES;
        nodes = nodes / idnode_room(sizeof(void *)) + 1;
    }
    return bytes;
}

/* ---- verifying ---- */

static uint64_t
verify_node(const struct idtree *t, const struct idnode *n, unsigned level,
            const struct stream_id *low, const struct stream_id *high)
{
    uint32_t value_bytes = level == t->height ? t->value_bytes : sizeof(void *);
    uint64_t count = 0;

    must(n->count > 0 && n->count <= n->room && n->value_bytes == value_bytes);  /* I2 */
    must(n->room == idnode_room(value_bytes) || (level == 0 && t->height == 0)); /* I3 */
    must(mm_usable(n) >= sizeof *n + n->room * idnode_entry_bytes(n));
    for (unsigned i = 0; i < n->count; i++) {
        struct stream_id id = idnode_id(n, i), next;
        bool counts = i > 0 || level == t->height;

        must(i == 0 || stream_id_compare(idnode_id(n, i - 1), id) < 0);
        must(!counts || low == NULL || stream_id_compare(*low, id) <= 0);  /* I1 */
        must(!counts || high == NULL || stream_id_compare(id, *high) < 0); /* I1 */
        if (level == t->height) {
            count++;
            continue;
        }
        if (i + 1u < n->count)
            next = idnode_id(n, i + 1);
        count += verify_node(t, idnode_child(n, i), level + 1, i > 0 ? &id : low,
                             i + 1u < n->count ? &next : high);
    }
    return count;
}

void
idtree_verify(const struct idtree *t)
{
    must((t->root == NULL) == (t->count == 0));
    if (t->root == NULL) {
        must(t->height == 0);
        return;
    }
    must(t->height == 0 || t->root->count > 1); /* I2 */
    must(verify_node(t, t->root, 0, NULL, NULL) == t->count);
}
