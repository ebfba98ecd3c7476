/* server/data/stream/names.h - named things in the values heap, in the order of their names: a
 * stream's groups, a group's consumers.
 *
 * An array of addresses that doubles.  Finding is O(log n); adding and removing move the addresses
 * behind: a stream has few groups, a group has few consumers beside its messages.  The struct
 * stands within its owner's block.
 * Threads: mutator; the layout [any]. */
#ifndef SERVER_DATA_STREAM_NAMES_H
#define SERVER_DATA_STREAM_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct named {
    uint32_t name_at, name_len; /* where the name stands, from the struct's own address on */
};

struct names {
    const struct named *const *at; /* NULL while room is 0 */
    uint32_t count, room;
};

static inline struct slice
named_name(const struct named *n)
{
    return (struct slice){(const char *)n + n->name_at, n->name_len};
}

/* names_find: NULL: not there; *ret_at is where it stands or would. */
const struct named *names_find(const struct names *n, struct slice name, uint32_t *ret_at);
/* names_add: a name that is not there.  0, or -ENOMEM and nothing has changed. */
int names_add(const struct names *n, const struct named *thing);
/* names_remove: one that is there; the thing itself is the caller's. */
void names_remove(const struct names *n, const struct named *thing);
/* names_free: the array. */
void names_free(const struct names *n);
/* names_verify: assert the order. */
void names_verify(const struct names *n);

#endif
