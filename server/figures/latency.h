/* server/figures/latency.h - what took longer than the threshold, by kind of event.
 *
 * Of each kind the last LATENCY_SAMPLES seconds in which it happened are kept, with the longest of
 * each; of the kinds the first 32 that were heard of.
 * Threads: mutator. */
#ifndef SERVER_FIGURES_LATENCY_H
#define SERVER_FIGURES_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum { LATENCY_SAMPLES = 160, LATENCY_NAME_BYTES = 32 };

struct latency_sample {
    int64_t time_s; /* unix */
    uint64_t ms;
};

struct latency_event {
    char name[LATENCY_NAME_BYTES];
    unsigned at, count; /* of samples; the newest is at - 1 */
    uint64_t max_ms;
    struct latency_sample samples[LATENCY_SAMPLES];
};

/* latency_init: events of *threshold_ms [borrowed] milliseconds and more are kept; while it is 0,
 * and before this, none is. */
void latency_init(const int64_t *threshold_ms);
/* latency_add: an event ("command", "fast-command", "expire-cycle", "eviction-cycle",
 * "snapshot-cut", ...; a name of less than LATENCY_NAME_BYTES) took ms; kept if the threshold says
 * so. */
void latency_add(const char *event, uint64_t ms);

/* latency_at: the i-th kind that was heard of; NULL behind the last.  Good until something is
 * forgotten. */
const struct latency_event *latency_at(unsigned i);
/* latency_find: by name, any case; NULL: nothing of that kind is kept. */
const struct latency_event *latency_find(struct slice name);
unsigned latency_count(void);
/* latency_sample_at: the i-th oldest sample, i below e->count. */
const struct latency_sample *latency_sample_at(const struct latency_event *e, unsigned i);
/* latency_forget: false: nothing of that kind was kept.  latency_forget_all: of any. */
bool latency_forget(struct slice name);
void latency_forget_all(void);

#endif
