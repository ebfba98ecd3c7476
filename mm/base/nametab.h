/* mm/base/nametab.h - a hash table of named things (channels, watched keys): nodes embedded in
 * their owners, chained.
 *
 * Grows and shrinks by linear hashing (Litwin 1980), one bucket an insertion or removal, in
 * segments that never move: no operation pays for the size of the table.
 * Threads: mutator. */
#ifndef MM_BASE_NAMETAB_H
#define MM_BASE_NAMETAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum { NAMETAB_SEGMENTS = 32, NAMETAB_FIRST = 16 /* buckets of the first segment */ };

/* Embedded in what is named; the name's bytes are the owner's, and stay while the node is in a
 * table. */
struct nametab_node {
    struct nametab_node *next;
    uint64_t hash;
    struct slice name;
};

struct nametab {
    uint64_t count, buckets; /* buckets 0: no memory taken yet */
    struct nametab_node **segment[NAMETAB_SEGMENTS];
};

/* nametab_hash: of a name; keyed, so that nobody can choose names that collide. */
uint64_t nametab_hash(struct slice name);
/* nametab_find: NULL: not there. */
struct nametab_node *nametab_find(const struct nametab *t, uint64_t hash, struct slice name);
/* nametab_add: a node whose hash and name are set, and whose name is not there.  False: no memory;
 * nothing changed. */
bool nametab_add(struct nametab *t, struct nametab_node *n);
/* nametab_remove: a node that is there. */
void nametab_remove(struct nametab *t, struct nametab_node *n);
/* nametab_replace: a node takes the place of another one, of the same name and hash. */
void nametab_replace(struct nametab *t, struct nametab_node *old, struct nametab_node *n);
/* nametab_any: one of the nodes, as a number says that is drawn by lot: no node is much likelier
 * than another.  NULL: there is none. */
struct nametab_node *nametab_any(const struct nametab *t, uint64_t lot);
/* nametab_visit: the nodes of one bucket, below t->buckets; fn may do what it may in
 * nametab_each(). Whoever visits buckets one after the other while nodes come and go may miss
 * some. */
void nametab_visit(struct nametab *t, uint64_t bucket,
                   void (*fn)(void *ctx, struct nametab_node *n), void *ctx);
/* nametab_each: every node; fn may remove (and free) the one that it is given, and must not add.
 * While nodes are removed, those that stay may be given twice. */
void nametab_each(struct nametab *t, void (*fn)(void *ctx, struct nametab_node *n), void *ctx);
/* nametab_bytes: memory of the buckets. */
size_t nametab_bytes(const struct nametab *t);

#endif
