/* server/data/db/save_filter.h - which keys a partial copy of the data holds: those of some
 * databases, of some types, whose names match a pattern.
 *
 * Kinds of conditions are all to hold; of one kind one is enough; a kind without any takes every
 * key.  The sweep asks for each key of the cut, and no question keeps it from its next quiescent
 * state: a name is looked at in pieces, and a pattern takes a bounded number of steps at a time.
 * Threads: save_filter_new, save_filter_free mutator; the others [any]: nothing changes. */
#ifndef SERVER_DATA_DB_SAVE_FILTER_H
#define SERVER_DATA_DB_SAVE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/data/db/record.h"

struct save_filter;
struct save_item;
struct save_work;

enum {
    SAVE_PATTERNS_MAX = 64,       /* each key is held against all of them, if none matches */
    SAVE_PATTERN_BYTES_MAX = 1024 /* a byte of a name costs as many steps at worst */
};

struct save_choice {
    const int *dbs; /* logical numbers; twice is as good as once */
    int db_count;
    const struct slice *patterns; /* of KEYS and SCAN; within the limits above */
    int pattern_count;
    uint32_t types; /* a bit of 1 << enum value_type for each; 0: all */
};

/* save_filter_new: with copies of all of it.  NULL: no memory.
 * save_filter_free: NULL is welcome. */
struct save_filter *save_filter_new(const struct save_choice *choice);
void save_filter_free(struct save_filter *f);

/* In all three a filter of NULL takes everything.
 * save_filter_takes_db: may keys of that logical database be taken?
 * save_filter_takes_whole: every key of the databases that it takes?
 * save_filter_takes: this one?  1, 0, or -errno (cancelled, the view is broken). */
bool save_filter_takes_db(const struct save_filter *f, int db);
bool save_filter_takes_whole(const struct save_filter *f);
int save_filter_takes(const struct save_filter *f, int db, struct save_work *w,
                      const struct save_item *s);

#endif
