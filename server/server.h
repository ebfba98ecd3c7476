/* server/server.h - what the whole server shares: clock, counters, persistence state.
 * Configuration: config.h.
 * Threads: mutator. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#define STILLFRAME_VERSION       "0.1.0"
#define STILLFRAME_REDIS_VERSION "7.2.0" /* the command level we answer for, as redis_version */

struct server {
    /* clock, refreshed once per turn of the loop and after a command that took long; all of one
     * EXEC see one time */
    int64_t now_ms; /* unix */
    int64_t now_us;
    uint32_t clock_s; /* access clock: seconds, 24 bits */
    /* keyspace changes since the last successful save, as Redis counts them: handlers add what they
     * changed
     */
    uint64_t dirty;
    bool lfu;           /* an LFU policy: clock words are counters (data/db/lfu.h) */
    bool active_expire; /* DEBUG SET-ACTIVE-EXPIRE */
    bool cron_paused;   /* DEBUG PAUSE-CRON */
    bool skip_checksum; /* DEBUG SET-SKIP-CHECKSUM-VALIDATION */
    bool loading;
    bool stopping; /* leave the loop after this turn */
    int exit_code;
    /* statistics for INFO */
    uint64_t stat_commands, stat_connections, stat_rejected_connections, stat_evicted_clients,
        stat_expired_keys, stat_hits, stat_misses;
    uint64_t stat_net_in_bytes, stat_net_out_bytes, stat_error_replies;
    uint64_t stat_reads, stat_writes;
    int64_t start_ms;
    int64_t turn_begin_ns; /* monotonic, when the clock was refreshed */
    uint64_t stat_auth_failures;
    uint64_t turns, turn_max_us, turn_sum_us, cron_sum_us,
        expire_sum_us; /* of which for timers, for expiry */
    uint64_t turn_max_commands;
    /* sampled each 100 ms */
    uint64_t ops_per_s, in_bytes_per_s, out_bytes_per_s, turns_per_s, turn_us_per_s;
    uint64_t peak_memory, start_memory;
    uint64_t malloc_bytes;      /* in use outside the arena; sampled */
    uint64_t malloc_held_bytes; /* what the C library has for it */
    /* of that, what maxmemory limits besides client_bytes: the last sample without a save's
     * buffers */
    uint64_t malloc_counted_bytes;
    /* what the limit of open files leaves of the configured number */
    int maxclients;
    char run_id[41];
    const char *executable; /* argv[0] */
};
extern struct server server;

/* server_clock_refresh: read the clocks into server.now_*; once per turn. */
void server_clock_refresh(void);
/* server_init: clock, run id; after config_load(). */
void server_init(const char *executable);
/* server_new_run_id: DEBUG CHANGE-REPL-ID. */
void server_new_run_id(void);
/* server_reset_stats: CONFIG RESETSTAT. */
void server_reset_stats(void);
/* server_used_memory: bytes of data, tables, buffers: what INFO calls used_memory. */
uint64_t server_used_memory(void);
/* What is used, what is held for it (free room in blocks and in the C library's arenas too), and
 * what the system has put memory behind: of the held, which cannot be told apart, at most the whole
 * process's. */
struct memory_figures {
    uint64_t used, active, resident;
    uint64_t rss; /* of the process; 0: the system does not say */
};
void server_memory_figures(struct memory_figures *ret);
/* server_cron: statistics, slow and idle clients: 1000 / hz ms apart. */
void server_cron(void);

#endif
