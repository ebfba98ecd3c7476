/* server/data/db/carried.h - what a dump holds beside keys: function libraries, and AUX fields that
 * nobody here can use.  It goes into the next dump as it came, so that a load and a save lose
 * nothing.
 *
 * Of libraries this is the text, which is all that is saved; what it means is known above
 * (scripts/function.h), where it is changed by drafts, too.
 *
 * The list belongs to the server, not to a database: FLUSHALL leaves it, as Redis leaves functions.
 * Threads: mutator; carried_save() [sweep], on a list that it holds. */
#ifndef SERVER_DATA_DB_CARRIED_H
#define SERVER_DATA_DB_CARRIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct rdb_enc;
struct carried;

/* carried_library: one that a dump holds: 0; -EEXIST: there is one of that name, and not
 * `replace`; -E2BIG: above RDB_CARRIED_MOST in all, so that comparing names has a bound; -ENOMEM.
 * carried_aux: the same, names may repeat. */
int carried_library(struct slice code, bool replace);
int carried_aux(struct slice name, struct slice value);
/* carried_clear: nothing is carried any more.  carried_forget_aux: but for libraries. */
void carried_clear(void);
void carried_forget_aux(void);

/* carried_draft: a list as it is to be, with room for so many libraries more; of those that there
 * are all, or none.  NULL: no memory.  It becomes the list by carried_adopt(), which cannot fail,
 * or is given up by carried_drop().  O(items)
 * carried_put: a library, in the place of the one of its name; 0, -E2BIG, -ENOMEM.
 * carried_remove: the one of that name; false: there is none. */
struct carried *carried_draft(bool with_libraries, size_t more);
int carried_put(struct carried *draft, struct slice name, struct slice code);
bool carried_remove(struct carried *draft, struct slice name);
void carried_adopt(struct carried *draft);
/* carried_has_library: of that name.  O(items) */
bool carried_has_library(struct slice name);
/* carried_each: the libraries in their order; fn may change them: those that there were are
 * told. */
void carried_each(void (*fn)(void *ctx, struct slice name, struct slice code), void *ctx);

struct carried_sum {
    uint64_t libraries, library_bytes, aux_fields;
};
struct carried_sum carried_sum(void);

/* carried_hold: the list as it is, for a save: later changes do not touch it.
 * carried_drop: not needed any more. O(1) */
struct carried *carried_hold(void);
void carried_drop(struct carried *list);
/* carried_save: all of it, AUX fields first.  NULL: nothing.  False: libraries were left out, as
 * the RDB version has none.
 * carried_save_libraries: these alone, of what there is now, into a version that has them.
 * [mutator] */
bool carried_save(const struct carried *list, struct rdb_enc *e);
void carried_save_libraries(struct rdb_enc *e);

#endif
