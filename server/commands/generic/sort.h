/* server/commands/generic/sort.h - SORT, SORT_RO: what commands/generic/sort.c (arguments, order,
 * reply) and commands/generic/sort_items.c (the elements, and the keys that patterns name) share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_GENERIC_SORT_H
#define SERVER_COMMANDS_GENERIC_SORT_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "server/data/db/db.h"

struct client;

enum { SORT_SCRATCH_BYTES = 24 }; /* a number is printed there */

/* One element: its bytes, and by what it is ordered, are copies in the sort's text: at so many
 * bytes from its beginning, since that moves while it grows. */
struct sort_item {
    size_t at, len;
    double score;         /* by numbers */
    size_t by_at, by_len; /* by words */
    bool has_word;        /* by words: else it comes before all that have one */
};

struct sort {
    /* from the arguments */
    struct slice by; /* ptr NULL: by the elements themselves */
    bool is_unsorted, alpha, descending;
    int64_t offset, count; /* count negative: all */
    int store;             /* argument of the destination; 0: none */
    int *get;              /* [owned] arguments of the patterns to be answered; gets: how many */
    unsigned gets;
    /* the elements */
    struct sort_item *items;
    uint64_t total, room;
    struct text text;
    bool failed; /* no memory */
};

/* sort_collect: the elements of the value at ref (NULL: none) from rank `first` on, `count` of them
 * where their order is that of the value (lists and sorted sets that are not sorted), else all. */
void sort_collect(struct sort *s, const struct record *r, uint64_t first, uint64_t count);
/* sort_weigh: the score or the word of each item.  False: a word where a number should be. */
bool sort_weigh(struct sort *s, struct db *db);
/* sort_lookup: what a pattern names for an item: "#" the item itself, else the string at the key
 * that comes of putting the item in the place of "*", or, behind "->", a field of the hash there.
 * False: there is no such thing.  *ret is good until the data or s->text changes. */
bool sort_lookup(const struct sort *s, struct db *db, struct slice pattern,
                 const struct sort_item *item, char *scratch, struct slice *ret);
void sort_fini(struct sort *s);

static inline struct slice
sort_text(const struct sort *s, size_t at, size_t len)
{
    return (struct slice){.ptr = text_str(&s->text) + at, .len = len};
}

#endif
