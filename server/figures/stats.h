/* server/figures/stats.h - what is counted since the start or CONFIG RESETSTAT, for INFO.
 *
 * Whoever does what is counted adds to it; nobody decides by it.  Figures per second are means over
 * the last samples.
 * Threads: mutator. */
#ifndef SERVER_FIGURES_STATS_H
#define SERVER_FIGURES_STATS_H

#include <stdint.h>

struct stats {
    uint64_t commands, error_replies, auth_failures;
    uint64_t acl_denied_commands, acl_denied_keys, acl_denied_channels;
    uint64_t connections, rejected_connections, evicted_clients;
    uint64_t net_in_bytes, net_out_bytes, reads, writes;  /* reads, writes: calls of the system */
    uint64_t copies_sent;                                 /* to readers, whole */
    uint64_t hits, misses, expired_keys, expired_subkeys; /* subkeys: fields of hashes */
    uint64_t turns, turn_max_us, turn_sum_us, turn_max_commands;
    uint64_t cron_sum_us, expire_sum_us; /* of the turns: for timers, for expiry */
    /* sampled each 100 ms */
    uint64_t ops_per_s, in_bytes_per_s, out_bytes_per_s, turns_per_s, turn_us_per_s;
};
extern struct stats stats;

/* stats_sample: what the figures per second are made of; more often than each 100 ms it does
 * nothing. */
void stats_sample(void);
/* stats_reset: all of it but for error_replies, which errorstats_reset() sees to. */
void stats_reset(void);

#endif
