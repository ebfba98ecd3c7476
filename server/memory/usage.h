/* server/memory/usage.h - how much memory the server uses, as INFO and MEMORY say it and maxmemory
 * counts it.
 * Threads: mutator. */
#ifndef SERVER_MEMORY_USAGE_H
#define SERVER_MEMORY_USAGE_H

#include <stdint.h>

/* As of the last look at it: the C library tells by walking its lists. */
struct memory_sample {
    uint64_t peak_bytes, start_bytes; /* of memory_used() */
    uint64_t malloc_bytes;            /* in use outside the arena */
    uint64_t malloc_held_bytes;       /* what the C library has for it */
    /* what it has free of that, given back or not, and in how many chunks */
    uint64_t malloc_free_bytes, malloc_free_chunks;
    /* of what is in use, what maxmemory limits besides client_bytes: the last sample without a
     * save's buffers */
    uint64_t malloc_counted_bytes;
};
extern struct memory_sample memory_sample;

/* memory_used: bytes of data, tables, buffers: what INFO calls used_memory. */
uint64_t memory_used(void);
/* What is used, what is held for it (free room in blocks and in the C library's arenas too), and
 * what the system has put memory behind: of the held, which cannot be told apart, at most the whole
 * process's. */
struct memory_figures {
    uint64_t used, active, resident;
    uint64_t rss; /* of the process; 0: the system does not say */
};
void memory_figures(struct memory_figures *ret);
/* memory_rss: what the system sees of the process; 0 where it does not say. */
uint64_t memory_rss(void);
/* memory_watch: samples and the peak; now and then. */
void memory_watch(void);

#endif
