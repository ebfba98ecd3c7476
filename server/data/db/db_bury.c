/* server/data/db/db_bury.c - structures without an owner: large ones are freed in slices. */
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/os.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/type.h"

enum {
    SLICE = 64, /* elements between two looks at the clock */
    SMALL = 64  /* a structure of so many elements is freed at once: as in Redis */
};

struct corpse {
    const struct type_ops *type;
    const void *root;
    struct drop_cursor at;
    struct corpse *link;
};
static struct corpse *corpses; /* newest first */

struct db_buried db_buried;

/* drop_whole: all that is left, at once. */
static void
drop_whole(const struct type_ops *type, const void *root, struct drop_cursor *at)
{
    while (!type->drop(root, at, UINT64_MAX))
        ;
}

void
db_bury(enum value_type type, const void *root)
{
    const struct type_ops *ops = type_of(type);
    struct corpse *c;

    must(root != NULL && ops->drop != NULL);
    if (ops->elements(root) <= SMALL || fault_point(FAULT_side_alloc) ||
        (c = malloc(sizeof *c)) == NULL) {
        drop_whole(ops, root, &(struct drop_cursor){.at = {0}});
        return;
    }
    *c = (struct corpse){.type = ops, .root = root, .link = corpses};
    db_buried.waiting++;
    corpses = c;
}

/* forget: the newest one is gone. */
static void
forget(struct corpse *c)
{
    must(c == corpses && db_buried.waiting > 0);
    corpses = c->link;
    free(c);
    db_buried.waiting--;
}

bool
db_free_buried(int64_t until_us)
{
    while (corpses != NULL) {
        if (corpses->type->drop(corpses->root, &corpses->at, SLICE)) {
            forget(corpses);
            db_buried.freed++;
        }
        if (os_monotonic_us() >= until_us)
            return true;
    }
    return false;
}

void
db_buried_fini(void)
{
    while (corpses != NULL) {
        drop_whole(corpses->type, corpses->root, &corpses->at);
        forget(corpses);
    }
}
