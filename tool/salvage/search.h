/* tool/salvage/search.h - where, behind a damage, reading can go on.
 *
 * Think of every offset from which a key or an opcode can be read as an arrow to where it ends.
 * Real boundaries lie on one path of arrows, to the end of the file or to the next damage.  Beside
 * it there are others: bytes inside of values that look like keys.  They die out soon, or run
 * into the real path.
 *
 *     damage          |--------->|------>|---------->|---> ... end     the real path
 *     ~~~~~~~~~~~   |-------->|->x       |->|->|                       others
 *                   ^first
 *
 * SE1  A path lives if it has CHAIN_LIVES arrows more, or comes to the end mark.
 * SE2  A boundary is where a path that lives begins, and no arrow of an earlier one jumps over it.
 * SE3  What begins there may all the same hold the end of the damage, or be bytes of the damaged
 *      key that look like keys and run into the real path.  So what is read first is not believed
 *      (scan.h), unless the damaged key itself says that it ends there.
 * SE4  Before a damage as well bytes may have been misread: so the search begins some keys earlier,
 *      and their own path, which ends in the damage, does not live.
 *
 * What SE2 cannot see is a real arrow that was itself destroyed: a value that holds many keys,
 * behind a head that is damaged.  scan.h has the rules for that.
 * Threads: one. */
#ifndef TOOL_SALVAGE_SEARCH_H
#define TOOL_SALVAGE_SEARCH_H

#include <stdbool.h>

#include "tool/salvage/step.h"

enum { CHAIN_LIVES = 10 };

struct search {
    struct stepper *stepper;
    uint8_t *bytes; /* [owned] a stretch of the file */
    uint64_t *next; /* [owned] of each of its offsets: where the arrow ends */
    uint8_t *lives; /* [owned] of each: arrows of its path, up to CHAIN_LIVES; 0: none begins */
    void (*progress)(void *ctx, uint64_t at);
    void *ctx;
};

/* search_init: 0 or -ENOMEM.  5 MiB for its life. */
int search_init(struct search *s, struct stepper *stepper);
void search_fini(struct search *s);
/* search_boundary: at `from` or behind it.  1: *ret; 0: there is none; or -errno.  It is the first
 * one; inner_too: or, where an arrow among its path's first CHAIN_LIVES holds a path that lives,
 * that: for who can count afterwards whether there are too many keys.  (Such an arrow is mostly
 * none: one that runs from the damage, or from bytes behind it that look like keys, into the real
 * path, over many keys and perhaps over a change of database.)
 * Cost: about 2 ns a byte where there are few living paths; the stepper's work is bounded. */
int search_boundary(struct search *s, uint64_t from, bool inner_too, uint64_t *ret);
/* search_confirms: a path that lives begins there, and no living arrow that begins at `from` or
 * behind it (and not far before) jumps over it: 1 or 0, or -errno.  For who knows of a boundary. */
int search_confirms(struct search *s, uint64_t from, uint64_t at);
/* search_passing: the first offset from `from` on (no more than SEARCH_BACK_BYTES before `at`)
 * whose path comes by `at` without a boundary there, and lives behind it: 1: *ret; 0: there is
 * none; or -errno. */
enum { SEARCH_BACK_BYTES = 1 << 20 };
int search_passing(struct search *s, uint64_t from, uint64_t at, uint64_t *ret);
/* search_lives: does a path that lives begin there? */
bool search_lives(struct stepper *s, uint64_t at);

#endif
