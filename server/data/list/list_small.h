/* server/data/list/list_small.h - a list as a listpack in its record: every change is made in
 * scratch memory, which is then stored.
 * Threads: mutator. */
#ifndef SERVER_DATA_LIST_LIST_SMALL_H
#define SERVER_DATA_LIST_LIST_SMALL_H

#include "server/data/list/list_impl.h"

/* small_entries: the entries of the listpack of a record, without its frame. */
struct slice small_entries(const struct record *r);
/* small_entry: where entry i of the record's listpack stands; i may be their number: the end. */
const uint8_t *small_entry(const struct record *r, uint64_t i);
/* small_fits: may a list of so many elements, and so many bytes of entries, be in the record? */
bool small_fits(size_t key_len, uint64_t entries_bytes);

/* All: 0 or -ENOMEM, and nothing has changed. */
/* small_store: the list at ref, or a new one, becomes these entries;
 * small_push: words are added; the caller has asked small_fits(). */
int small_store(struct db_ref *ref, const struct slice entries[], int pieces, uint64_t count);
int small_push(struct db_ref *ref, enum list_side side, const struct slice *words, int count);
/* small_trimmed: a record without the element at that end, of several, for db_exchange().  NULL: no
 * memory. */
const struct record *small_trimmed(const struct db_ref *ref, enum list_side side);
int small_rotate(struct db_ref *ref, enum list_side from);
int small_trim(struct db_ref *ref, uint64_t head, uint64_t tail);
/* small_splice: entry i becomes the word (replaces), or the word is inserted before it. */
int small_splice(struct db_ref *ref, uint64_t i, bool replaces, struct slice word);
int small_remove(struct db_ref *ref, const struct lp_needle *needle, uint64_t limit,
                 enum list_side from, uint64_t *ret_removed);

#endif
