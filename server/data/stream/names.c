/* server/data/stream/names.c - see names.h. */
#include "server/data/stream/names.h"

#include <errno.h>

#include "mm/mm.h"

enum { FIRST_ROOM = 2 };

static int
compare(struct slice a, struct slice b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

const struct named *
names_find(const struct names *n, struct slice name, uint32_t *ret_at)
{
    uint32_t low = 0, high = n->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare(named_name(n->at[middle]), name);

        if (order == 0) {
            *ret_at = middle;
            return n->at[middle];
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_at = low;
    return NULL;
}

static void
set(const struct names *n, const struct named *const *at, uint32_t count, uint32_t room)
{
    struct names *w = mm_modify(n, sizeof *n);

    *w = (struct names){.at = at, .count = count, .room = room};
}

/* add_in_larger: all addresses move to a block with twice the room. */
static int
add_in_larger(const struct names *n, uint32_t at, const struct named *thing)
{
    uint32_t room = n->room == 0 ? FIRST_ROOM : n->room * 2;
    const struct named **fresh = mm_alloc(MM_VALUE, room * sizeof *fresh);
    const struct named *const *old = n->at;

    if (fresh == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < at; i++)
        fresh[i] = old[i];
    fresh[at] = thing;
    for (uint32_t i = at; i < n->count; i++)
        fresh[i + 1] = old[i];
    set(n, (const struct named *const *)fresh, n->count + 1, room);
    if (old != NULL)
        mm_free(old);
    return 0;
}

int
names_add(const struct names *n, const struct named *thing)
{
    const struct named **w;
    uint32_t at;

    must(names_find(n, named_name(thing), &at) == NULL);
    if (n->count == n->room)
        return add_in_larger(n, at, thing);
    w = mm_modify(n->at + at, (n->count - at + 1) * sizeof *w);
    memmove(w + 1, w, (n->count - at) * sizeof *w);
    w[0] = thing;
    set(n, n->at, n->count + 1, n->room);
    return 0;
}

void
names_remove(const struct names *n, const struct named *thing)
{
    uint32_t at;

    must(names_find(n, named_name(thing), &at) == thing);
    if (n->count == 1) {
        names_free(n);
        set(n, NULL, 0, 0);
        return;
    }
    if (at + 1 < n->count) {
        const struct named **w = mm_modify(n->at + at, (n->count - at) * sizeof *w);

        memmove(w, w + 1, (n->count - at - 1) * sizeof *w);
    }
    set(n, n->at, n->count - 1, n->room);
}

void
names_free(const struct names *n)
{
    if (n->at != NULL)
        mm_free(n->at);
}

void
names_verify(const struct names *n)
{
    must((n->room == 0) == (n->at == NULL) && n->count <= n->room);
    for (uint32_t i = 1; i < n->count; i++)
        must(compare(named_name(n->at[i - 1]), named_name(n->at[i])) < 0);
}
