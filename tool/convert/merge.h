/* tool/convert/merge.h - keys that are in more than one input, or twice in one: which of them is
 * written.
 *
 *     add (each key of each input) ..., decide, then again (each key ...): merge_takes()
 *
 * Of a key 128 bits of hash are compared.  Both the comparison and the list of what is left out are
 * sorted outside of memory.
 * Threads: one. */
#ifndef TOOL_CONVERT_MERGE_H
#define TOOL_CONVERT_MERGE_H

#include "snapshot/rdb/field_set.h"
#include "tool/convert/plan.h"
#include "tool/convert/sort.h"

struct merge_place {
    uint64_t file, ordinal; /* of a key among those selected of its file */
};

struct merge {
    enum merge_rule rule;
    struct field_set marks; /* only its seed is used */
    struct sort keys;       /* mark, then where it stands */
    struct sort out;        /* places of those that are left out */
    bool is_decided;
    struct merge_place next; /* that is left out; file UINT64_MAX: none */
    int error;
};

void merge_init(struct merge *m, enum merge_rule rule);
void merge_fini(struct merge *m);
/* merge_add: 0 or -errno. */
int merge_add(struct merge *m, uint64_t db, struct slice name, struct merge_place at);
/* merge_decide: all have come.  0 or -errno. */
int merge_decide(struct merge *m);
/* merge_clashes: keys that are there more than once: how many are left out. */
static inline uint64_t
merge_clashes(const struct merge *m)
{
    return m->out.count;
}
/* merge_takes: places rise from call to call. *ret_takes.  0 or -errno. */
int merge_takes(struct merge *m, struct merge_place at, bool *ret_takes);

#endif
