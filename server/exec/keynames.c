/* server/exec/keynames.c - see keynames.h. */
#include "server/exec/keynames.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/data/db/db.h"

struct keyname *
keynames_find(const struct keynames *t, int db_index, struct slice name)
{
    if (t->of_db == NULL || db_index < 0)
        return NULL;
    debug_check(db_index < db_count());
    /* the node is the first member */
    return (struct keyname *)(void *)nametab_find(&t->of_db[db_index], nametab_hash(name), name);
}

struct keyname *
keynames_add(struct keynames *t, int db_index, struct slice name, size_t bytes)
{
    struct keyname *k;
    char *copy;

    must(bytes >= sizeof *k && db_index >= 0 && db_index < db_count());
    if (t->of_db == NULL && (t->of_db = calloc((size_t)db_count(), sizeof *t->of_db)) == NULL)
        return NULL;
    if ((k = calloc(1, bytes + name.len)) == NULL)
        return NULL;
    copy = (char *)k + bytes;
    memcpy(copy, name.ptr, name.len);
    k->node = (struct nametab_node){.hash = nametab_hash(name), .name = {copy, name.len}};
    k->db_index = db_index;
    if (nametab_add(&t->of_db[db_index], &k->node))
        return k;
    free(k);
    return NULL;
}

void
keynames_remove(struct keynames *t, struct keyname *k)
{
    nametab_remove(&t->of_db[k->db_index], &k->node);
    free(k);
}

void
keynames_each(const struct keynames *t, int db_index, void (*fn)(void *ctx, struct nametab_node *n),
              void *ctx)
{
    if (t->of_db != NULL)
        nametab_each(&t->of_db[db_index], fn, ctx);
}
