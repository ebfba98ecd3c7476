/* server/figures/latency.c - see latency.h. */
#include "server/figures/latency.h"

#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"

enum { EVENTS_MAX = 32 };

static struct latency_event events[EVENTS_MAX];
static unsigned event_count;
static const int64_t none;
static const int64_t *threshold_ms = &none;

void
latency_init(const int64_t *threshold)
{
    must(threshold != NULL);
    threshold_ms = threshold;
}

static struct latency_event *
find_event(struct slice name)
{
    for (unsigned i = 0; i < event_count; i++)
        if (slice_is_word(name, events[i].name))
            return &events[i];
    return NULL;
}

static struct latency_event *
make_event(const char *name)
{
    struct latency_event *e;

    must(name[0] != '\0' && strlen(name) < sizeof e->name);
    if (event_count == EVENTS_MAX)
        return NULL;
    e = &events[event_count++];
    *e = (struct latency_event){.count = 0};
    strcpy(e->name, name);
    return e;
}

void
latency_add(const char *name, uint64_t ms)
{
    struct latency_event *e;
    struct latency_sample *last;
    int64_t now_s = clock_now.ms / 1000;

    if (*threshold_ms <= 0 || ms < (uint64_t)*threshold_ms)
        return;
    e = find_event((struct slice){name, strlen(name)});
    if (e == NULL && (e = make_event(name)) == NULL)
        return;
    if (ms > e->max_ms)
        e->max_ms = ms;
    last = &e->samples[(e->at + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
    if (e->count > 0 && last->time_s == now_s) {
        last->ms = ms > last->ms ? ms : last->ms;
        return;
    }
    e->samples[e->at] = (struct latency_sample){now_s, ms};
    e->at = (e->at + 1) % LATENCY_SAMPLES;
    e->count += e->count < LATENCY_SAMPLES;
}

const struct latency_event *
latency_at(unsigned i)
{
    return i < event_count ? &events[i] : NULL;
}

const struct latency_event *
latency_find(struct slice name)
{
    return find_event(name);
}

unsigned
latency_count(void)
{
    return event_count;
}

const struct latency_sample *
latency_sample_at(const struct latency_event *e, unsigned i)
{
    must(i < e->count);
    return &e->samples[(e->at + LATENCY_SAMPLES - e->count + i) % LATENCY_SAMPLES];
}

bool
latency_forget(struct slice name)
{
    struct latency_event *e = find_event(name);

    if (e == NULL)
        return false;
    memmove(e, e + 1, (size_t)(&events[event_count] - (e + 1)) * sizeof *e);
    event_count--;
    return true;
}

void
latency_forget_all(void)
{
    event_count = 0;
}
