/* server/data/db/lfu.h - the access clock of a record: when it was used, or how often.
 *
 * 25 bits: LFU_COUNTS tells which of two forms the other 24 have.
 *
 *   without it   written under any policy but an LFU one: the second of the last access
 *                (clock_now.s)
 *   with it      written under an LFU policy: 16 bits, the minute of the last access; 8 bits, a
 *                logarithmic counter, which an access raises with a probability that falls as it
 *                grows, and which lfu-decay-time minutes without an access lower
 *
 * [Redis documentation: Key eviction, LFU mode.]
 *
 * A change of policy changes no record.  Either form answers both questions, so that who was used
 * lately stays whom eviction leaves in peace: a second says when, and the counter is then that of a
 * new key, less what it has lost since; a minute says when, to the minute.  The next access writes
 * the form of the policy.
 * Threads: mutator, unless a line says [any]. */
#ifndef SERVER_DATA_DB_LFU_H
#define SERVER_DATA_DB_LFU_H

#include <stdint.h>

enum {
    LFU_NEW = 5, /* the counter of a new key: it gets its chance */
    LFU_FIELD_MASK = (1 << 24) - 1,
    LFU_COUNTS = 1 << 24
};

/* How fast counters rise and fall: lfu-log-factor, lfu-decay-time (0: they never fall). */
struct lfu_rates {
    uint64_t log_factor;
    int64_t decay_minutes;
};
extern struct lfu_rates lfu_rates;

/* lfu_born: the clock of a new record with this counter. */
uint32_t lfu_born(uint8_t counter);
/* lfu_touched: the clock after one more access, under an LFU policy. */
uint32_t lfu_touched(uint32_t clock);
/* lfu_counter: the counter now, less what it has lost since. */
uint8_t lfu_counter(uint32_t clock);
/* lfu_idle_s: seconds since the last access; where only its minute is known, since the end of
 * that. */
uint32_t lfu_idle_s(uint32_t clock);
/* lfu_counter_at, lfu_idle_at: the same at another time (unix, seconds), with a decay that was
 * looked up before.  A clock up to two minutes ahead of that time counts as used just then.
 * [any] */
uint8_t lfu_counter_at(uint32_t clock, int64_t now_s, int64_t decay_minutes);
uint32_t lfu_idle_at(uint32_t clock, int64_t now_s);
/* lfu_idle_since: the clock, under any other policy, of a record that was not used for so long;
 * longer than the field can say (194 days): as long as that.  idle_s >= 0 */
uint32_t lfu_idle_since(int64_t idle_s);

#endif
