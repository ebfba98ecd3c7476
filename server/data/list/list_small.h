/* server/data/list/list_small.h - a list as a listpack in its record: every change is made in
 * scratch memory, which is then stored.
 * Threads: mutator. */
#ifndef SERVER_DATA_LIST_LIST_SMALL_H
#define SERVER_DATA_LIST_LIST_SMALL_H

#include "server/data/list/list_impl.h"

/* list_small_entries: the entries of the listpack of a record, without its frame. */
struct slice list_small_entries(const struct record *r);
/* list_small_entry: where entry i of the record's listpack stands; i may be their number: the
 * end. */
const uint8_t *list_small_entry(const struct record *r, uint64_t i);
/* list_small_fits: may a list of so many elements, and so many bytes of entries, be in the
 * record? */
bool list_small_fits(size_t key_len, uint64_t entries_bytes);

/* All: 0 or -ENOMEM, and nothing has changed. */
/* list_small_store: the list at ref, or a new one, becomes these entries;
 * list_small_push: words are added; the caller has asked list_small_fits(). */
int list_small_store(struct db_ref *ref, const struct slice entries[], int pieces, uint64_t count);
int list_small_push(struct db_ref *ref, enum list_side side, const struct slice *words, int count);
/* list_small_trimmed: a record without the element at that end, of several, for db_exchange().
 * NULL: no memory. */
const struct record *list_small_trimmed(const struct db_ref *ref, enum list_side side);
int list_small_rotate(struct db_ref *ref, enum list_side from);
int list_small_trim(struct db_ref *ref, uint64_t head, uint64_t tail);
/* list_small_splice: entry i becomes the word (replaces), or the word is inserted before it. */
int list_small_splice(struct db_ref *ref, uint64_t i, bool replaces, struct slice word);
int list_small_remove(struct db_ref *ref, const struct lp_needle *needle, uint64_t limit,
                      enum list_side from, uint64_t *ret_removed);

#endif
