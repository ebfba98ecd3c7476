/* server/exec/keynames.h - keys of logical databases by which something is kept, whether or not the
 * keys exist: by number of the database and name.
 *
 * Who keeps something by keys (watch.c, keywait.c) has a struct keynames, zeroed, and a struct of
 * its own for each key, with a struct keyname at its begin.
 * Threads: mutator. */
#ifndef SERVER_EXEC_KEYNAMES_H
#define SERVER_EXEC_KEYNAMES_H

#include <stddef.h>

#include "mm/base/nametab.h"
#include "mm/base/slice.h"

struct keyname {
    struct nametab_node node; /* first; its name stands behind the owner's struct */
    int db_index;
};

struct keynames {
    struct nametab *of_db; /* [owned] one a logical database; NULL: there never was a key */
};

/* keynames_find: NULL: it is not there.  db_index below zero: of no database, so neither.  O(1) */
struct keyname *keynames_find(const struct keynames *t, int db_index, struct slice name);
/* keynames_add: a key that is not there: `bytes` bytes, zeroed, that begin with its struct keyname.
 * NULL: no memory.  O(1) */
struct keyname *keynames_add(struct keynames *t, int db_index, struct slice name, size_t bytes);
/* keynames_remove: take it out and free it. */
void keynames_remove(struct keynames *t, struct keyname *k);
/* keynames_each: call fn for each key of a database (a struct keyname begins with its node),
 * which it may remove, but not another one. */
void keynames_each(const struct keynames *t, int db_index,
                   void (*fn)(void *ctx, struct nametab_node *n), void *ctx);

#endif
