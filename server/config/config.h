/* server/config/config.h - the configuration: one struct with typed values, one table of parameters
 * (server/config/config.def).
 *
 * A change is tried on a copy of the struct, checked, applied and only then put into place: CONFIG
 * SET and the start-up take all of it or nothing.
 * Threads: mutator. */
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct text;

/* A value that may hold any byte; a NUL that does not count follows it. */
struct config_bytes {
    char *at; /* [owned] never NULL in a configuration that holds */
    size_t len;
};

struct save_point {
    int64_t seconds, changes;
};

enum output_class { OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB, OUTPUT_CLASSES };
struct output_limit {
    uint64_t hard_bytes, soft_bytes; /* 0: no limit */
    int64_t soft_seconds;
};

/* for enable-debug-command and its like */
enum version_check { VERSION_STRICT, VERSION_RELAXED };
enum debug_permission { PERMIT_NO, PERMIT_LOCAL, PERMIT_YES };

/* for acl-pubsub-default: what a new user may hear */
enum channels_default { CHANNELS_NONE, CHANNELS_ALL };

/* for snapshot-memory-policy: what gives way at the limit, the writers' speed or the save */
enum memory_policy { MEMORY_THROTTLE, MEMORY_CANCEL };

/* for tls-auth-clients: does a client have to show a certificate? */
enum tls_auth { TLS_AUTH_NO, TLS_AUTH_OPTIONAL, TLS_AUTH_YES };

/* for sandbox (server/process/sandbox.h) */
enum sandbox_wish { SANDBOX_NO, SANDBOX_YES, SANDBOX_REQUIRED };

/* for supervised (mm/base/supervisor.h): auto: if the environment names a socket */
enum supervised { SUPERVISED_NO, SUPERVISED_SYSTEMD, SUPERVISED_AUTO };

/* How many parameters are kept without effect. */
enum {
    CONFIG_KEPT = 0
#define REASON(group, why)
#define KEPT(name, alias, check, initial, flags, group) +1
#include "server/config/kept.def"
#undef REASON
#undef KEPT
};

struct config {
    /* network */
    int64_t port, tcp_backlog, timeout_s, tcp_keepalive_s, maxclients;
    char *unixsocket;                /* "": none */
    struct config_bytes requirepass; /* empty: none */
    char *aclfile;                   /* "": none */
    int64_t acl_pubsub_default;      /* enum channels_default */
    int64_t acllog_max_len;
    int64_t tracking_table_max_keys; /* 0: as many as there are */
    int64_t unixsocketperm;          /* mode; 0: as the umask makes it */
    char *bind;                      /* addresses, separated by blanks; "-": may be missing */
    bool protected_mode;
    uint64_t proto_max_bulk_len, client_query_buffer_limit;
    struct output_limit output_limits[OUTPUT_CLASSES];
    /* TLS; where it is not built in, nothing of it is set, and the texts are NULL */
    int64_t tls_port; /* 0: none */
    char *tls_cert_file, *tls_key_file, *tls_key_file_pass, *tls_dh_params_file, *tls_ca_cert_file,
        *tls_ca_cert_dir, *tls_protocols, *tls_ciphers, *tls_ciphersuites; /* "": not given */
    int64_t tls_auth_clients;                                              /* enum tls_auth */
    bool tls_prefer_server_ciphers, tls_session_caching;
    int64_t tls_session_cache_size, tls_session_cache_timeout_s;
    /* general */
    int64_t databases, hz, log_level;
    char *logfile, *pidfile, *dir; /* dir: absolute */
    int64_t enable_debug_command, enable_protected_configs, enable_module_command, sandbox;
    int64_t supervised; /* enum supervised */
    /* snapshots */
    char *dbfilename;
    struct save_point *save_points;
    int64_t save_point_count;
    bool stop_writes_on_bgsave_error, rdb_checksum;
    int64_t rdb_version_check;             /* enum version_check */
    int64_t rdb_version;                   /* that is written */
    int64_t rdb_compression;               /* enum rdb_compression */
    int64_t rdb_compression_level;         /* of RDB_LZ4 */
    int64_t snapshot_threads;              /* 0: by the processors that there are */
    uint64_t snapshot_rate_limit;          /* bytes of the file a second; 0: none */
    uint64_t save_bytes;                   /* 0: no such save; nor with ... */
    int64_t save_idle_s;                   /* ... 0 */
    struct config_bytes snapshot_schedule; /* cron_form.h; "": none */
    int64_t snapshot_retain;               /* dumps that are kept beside the newest */
    bool snapshot_verify;
    int64_t snapshot_memory_limit; /* bytes; below zero: percent of the data; 0: none */
    int64_t snapshot_memory_policy;
    int64_t snapshot_throttle_timeout; /* ms; 0: none */
    /* of readers that get a copy through their connections: how long one may take nothing; how long
     * the first one waits for others; how many end that wait, 0: no number does */
    int64_t repl_timeout_s, repl_diskless_sync_delay_s, repl_diskless_sync_max_replicas;
    /* memory */
    uint64_t maxmemory;        /* bytes; 0: no limit */
    int64_t maxmemory_clients; /* bytes; below zero: percent of maxmemory; 0: no limit */
    int64_t maxmemory_policy, maxmemory_samples, maxmemory_eviction_tenacity, lfu_log_factor,
        lfu_decay_time;
    bool lazyfree_lazy_eviction, lazyfree_lazy_expire, lazyfree_lazy_server_del,
        lazyfree_lazy_user_del, lazyfree_lazy_user_flush;
    int64_t active_expire_effort;
    bool activedefrag;
    uint64_t active_defrag_ignore_bytes;
    int64_t active_defrag_threshold_lower, active_defrag_threshold_upper; /* percent */
    int64_t active_defrag_cycle_min, active_defrag_cycle_max;             /* percent of the loop */
    int64_t active_defrag_max_scan_fields;
    uint64_t arena_size; /* bytes of address space; 0: chosen at start */
    /* what is watched */
    int64_t slowlog_log_slower_than, slowlog_max_len; /* us; -1: nothing is kept */
    int64_t latency_monitor_threshold;                /* ms; 0: off */
    bool latency_tracking;
    int64_t notify_keyspace_events; /* enum key_event_class */
    bool crash_log_enabled;
    /* scripts */
    int64_t busy_reply_threshold; /* ms until others are heard; 0: never */
    uint64_t script_memory_limit; /* bytes of the Lua state; 0: none */
    int64_t shutdown_timeout;
    struct config_bytes shutdown_on_sigint, shutdown_on_sigterm, latency_percentiles; /* words */
    /* encodings */
    int64_t list_max_listpack_size; /* >= 0: elements a node; -1 .. -5: 4 KiB .. 64 KiB */
    int64_t hash_max_listpack_entries;
    uint64_t hash_max_listpack_value, hll_sparse_max_bytes;
    int64_t set_max_intset_entries, set_max_listpack_entries, set_max_listpack_value;
    int64_t zset_max_listpack_entries;
    uint64_t zset_max_listpack_value;
    uint64_t stream_node_max_bytes;
    int64_t stream_node_max_entries;
    struct config_bytes kept[CONFIG_KEPT]; /* kept.def */
};
extern struct config config;

/* config_init: the defaults.  0 or -ENOMEM.  Before anything reads config. */
int config_init(void);
void config_fini(void);

/* config_load: read the file (NULL: none), then standard input where the last word is "-", then the
 * command line's options, as if they were written behind it.  0; -EINVAL: refused, and *why is the
 * report for the user. */
int config_load(const char *path, int argc, char *const argv[], struct text *why);
/* config_load_text: as config_load, from memory; name is what errors call it. */
int config_load_text(const char *name, const char *bytes, size_t len, struct text *why);
/* config_start: carry out what takes effect outside the struct: chdir to dir, log level.  0, or
 * -errno with *why. */
int config_start(struct text *why); /* once, after config_load() */
const char *config_file(void);      /* absolute name of the file that was read; "" if none */

/* config_set: count pairs of name and value: all, or none.  0; -EINVAL: *why is an error reply,
 * code included. */
int config_set(const struct slice *pairs, int count, bool protected_allowed, struct text *why);

/* config_value: a parameter as CONFIG GET shows it, cut to room; returns ret. */
const char *config_value(const char *name, char *ret, size_t room);
/* config_rewrite: make the configuration file say what holds now, whatever it includes.  0; or
 * -errno: it is as it was, and *why says what went wrong.  Only where there is one (config_file()).
 * all: defaults too. */
int config_rewrite(bool all, struct text *why);
/* config_read_whole: a file's bytes behind what ret holds.  0; -EFBIG: above 64 MiB; -ENOMEM; or
 * -errno of open, -EIO of reading. */
int config_read_whole(const char *path, struct text *ret);
/* config_replace_file: t takes the place of the file in one step, durably; a new one gets this
 * mode, another keeps its own.  0; or -errno: it is as it was. */
int config_replace_file(const char *path, const struct text *t, unsigned mode);
/* config_restore_file: at the start, before it is read: where config_replace_file() sets the old
 * file aside (snapshot/rdb/set_aside.h), and was cut off, that one has its name again; logged. */
void config_restore_file(const char *path);
/* config_log_no_effect: lines that name what was set at start and has no effect here. */
void config_log_no_effect(void);

/* config_on_change: how a changed parameter takes effect: called with the whole new configuration
 * before it is put into place; false with *why refuses it.  It may be called again with the old
 * one, when a later one refuses. */
void config_on_change(const char *name, bool (*apply)(const struct config *next, const char **why));
/* config_follow: the same, and apply takes over at once what is configured, which it does not
 * refuse but for want of memory: then the process ends, with a line in the log. */
void config_follow(const char *name, bool (*apply)(const struct config *next, const char **why));

/* A directive of files and command lines that is no parameter: another module's to carry out. */
enum { CONFIG_ANY_WORDS = -1 /* one at least */ };
struct config_directive {
    const char *name;
    int words; /* that follow the name; with another number it is no directive */
    /* NULL: done; else what is wrong with it, for the report (config_load); good until the next
     * one. */
    const char *(*carry_out)(const struct slice *words, int count);
    /* try_out: what the next start would make of it, beside the others of the same trial, which
     * is_first begins; NULL: nothing can be wrong.
     * write: the lines that say what holds now, each with its newline, for CONFIG REWRITE; NULL:
     * those of the file stay. */
    const char *(*try_out)(const struct slice *words, int count, bool is_first);
    void (*write)(struct text *out);
    struct config_directive *next; /* set within */
};
/* config_add_directive: d [borrowed, for ever] is known from now on; again: nothing changes.
 * Before config_load(). */
void config_add_directive(struct config_directive *d);

/* config_after_change: fn is called after each change that was taken, with the new configuration in
 * place; eight at most. */
void config_after_change(void (*fn)(void));

/* config_each_match: call fn for every parameter that matches one of the patterns (aliases too); a
 * hidden one only where a pattern is its name. */
void config_each_match(const struct slice *patterns, int count,
                       void (*fn)(void *ctx, const char *name, struct slice value), void *ctx);

#endif
