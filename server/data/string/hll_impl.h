/* server/data/string/hll_impl.h - the runs of a sparse sketch; between hll.c and hll_count.c.
 * Threads: any. */
#ifndef SERVER_DATA_STRING_HLL_IMPL_H
#define SERVER_DATA_STRING_HLL_IMPL_H

#include "server/data/string/hll.h"

struct hll_run {
    size_t at, bytes;    /* where it stands in the sketch */
    unsigned first, len; /* the registers that it covers */
    uint8_t value;
};
#define HLL_FIRST_RUN                                                                              \
    {                                                                                              \
        .at = HLL_HEADER_BYTES                                                                     \
    }

/* hll_run_next: the first run, from HLL_FIRST_RUN, or the one behind *run.  False: there is none;
 * then run->at is the sketch's length, and run->first the number of registers seen, or the last run
 * is cut off. */
bool hll_run_next(struct slice s, struct hll_run *run);

#endif
