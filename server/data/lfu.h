/* server/data/lfu.h - how often a record is used, in the 24 bits that hold its access clock otherwise.
 *
 * 16 bits: the minute of the last decrement; 8 bits: a logarithmic counter, which an access raises with a
 * probability that falls as it grows, and lfu-decay-time minutes without one lower.  [Redis documentation:
 * Key eviction, LFU mode.] Threads: mutator. */
#ifndef SERVER_LFU_H
#define SERVER_LFU_H

#include <stdint.h>

enum { LFU_NEW = 5 /* the counter of a new key: it gets its chance */ };

/* lfu_born: the word of a new record with this counter. */
uint32_t lfu_born(uint8_t counter);
/* lfu_touched: the word after one more access. */
uint32_t lfu_touched(uint32_t word);
/* lfu_counter: the counter now, less what it has lost since. */
uint8_t lfu_counter(uint32_t word);

#endif
