/* server/exec/cmd.h - commands as data: one table, one handler each.
 *
 * The rows and the handlers stand above (server/commands) and are given to cmd_table_init().
 *
 * A handler reads c->argc/c->argv (argv[0] is the command's name) and writes exactly one reply
 * through reply.h. Handlers never mention snapshots: the barrier is inside the data types.  Arity
 * is checked before the call; of a command with subcommands, the subcommand's handler is called.
 * Threads: mutator. */
#ifndef SERVER_EXEC_CMD_H
#define SERVER_EXEC_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "server/exec/key_spec.h"

struct client;
struct histogram;
typedef void (*cmd_handler)(struct client *c);

enum cmd_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_FAST = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_LOADING = 1 << 6, /* allowed while the dataset is loaded */
    CMD_STALE = 1 << 7,
    CMD_NO_MULTI = 1 << 8, /* not inside MULTI */
    CMD_BLOCKING = 1 << 9,
    CMD_MOVABLEKEYS = 1 << 10,
    CMD_SKIP_MONITOR = 1 << 11,
    CMD_SKIP_SLOWLOG = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14,
    CMD_PUBSUB = 1 << 15,
    /* executed at once although a transaction is being queued (EXEC, DISCARD, ...) */
    CMD_RUN_IN_MULTI = 1 << 16,
    CMD_NO_ASYNC_LOADING = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18,
    CMD_PUBSUB_CONTEXT = 1 << 19, /* allowed to RESP2 clients with subscriptions */
    /* What COMMAND INFO does not show: how the command is executed. */
    CMD_RUNS_QUEUE = 1 << 20,    /* EXEC: does and may do what the queued commands do and may */
    CMD_PROBES_WRITES = 1 << 21, /* PING: refused while writes are, so that who asks learns of it */
    CMD_DEBUGS = 1 << 22,        /* where enable-debug-command lets it */
    CMD_LOADS_MODULES = 1 << 23, /* where enable-module-command lets it */
    /* Which arguments must not be shown (auth.h). */
    CMD_SECRET_ALL = 1 << 24,     /* AUTH, ACL SETUSER: all */
    CMD_SECRET_AUTH = 1 << 25,    /* HELLO, MIGRATE: what is behind AUTH, AUTH2 */
    CMD_SECRET_OPTIONS = 1 << 26, /* CONFIG SET: the values of some names */
    CMD_MAY_BE_SILENT = 1 << 27,  /* REPLCONF: it may reply nothing, outside of EXEC */
    CMD_RUNS_SCRIPT = 1 << 28,    /* EVAL: it may do what any command may */
    /* and one that COMMAND INFO does show: it may have no keys at all */
    CMD_NO_MANDATORY_KEYS = 1 << 29,
    /* Arguments that a user must have the right to (acl.h): of a command that takes a fixed number
     * the first one, of others all of them. */
    CMD_NAMES_CHANNELS = 1 << 30, /* PUBLISH, SUBSCRIBE */
    CMD_NAMES_PATTERNS = 1U << 31 /* PSUBSCRIBE: of channels */
};

/* Access control categories; those that follow from flags (read, write, admin, fast, slow, ...) are
 * added by cmd_table_init().  The order is the one in which COMMAND INFO lists them. */
enum acl_category {
    ACL_KEYSPACE = 1 << 0,
    ACL_READ = 1 << 1,
    ACL_WRITE = 1 << 2,
    ACL_SET = 1 << 3,
    ACL_SORTEDSET = 1 << 4,
    ACL_LIST = 1 << 5,
    ACL_HASH = 1 << 6,
    ACL_STRING = 1 << 7,
    ACL_BITMAP = 1 << 8,
    ACL_HYPERLOGLOG = 1 << 9,
    ACL_GEO = 1 << 10,
    ACL_STREAM = 1 << 11,
    ACL_PUBSUB = 1 << 12,
    ACL_ADMIN = 1 << 13,
    ACL_FAST = 1 << 14,
    ACL_SLOW = 1 << 15,
    ACL_BLOCKING = 1 << 16,
    ACL_DANGEROUS = 1 << 17,
    ACL_CONNECTION = 1 << 18,
    ACL_TRANSACTION = 1 << 19,
    ACL_SCRIPTING = 1 << 20
};

/* How many commands and subcommands there may be: each has a number below that. */
enum { CMD_IDS_MAX = 1024 };

struct cmd {
    const char *name;   /* lower case; of a subcommand: the second word */
    const char *parent; /* of a subcommand: the first word */
    cmd_handler handler;
    int arity; /* including the name (and the subcommand's); negative: at least that many */
    uint32_t flags, acl_categories;
    struct key_spec specs[KEY_SPECS_MAX];
    key_finder finder; /* where the specs do not say enough (KS1), else NULL */
    const char *group, *since, *complexity;
    const char *tips; /* words, separated by blanks */
    const char *args; /* the arguments, as a person reads them */
    const char *summary;
    /* set by cmd_table_init() */
    int first_key;          /* 0: none, or not so simple */
    int last_key, key_step; /* last_key -1: the last argument */
    int hint_key;           /* where the first key is, most likely; 0: no idea */
    /* specs[0] alone says where they are, by arguments' numbers; and, unless it is VARIABLE, when
     * it names the most that may be, what is done to them */
    bool plain_keys;
    unsigned id;        /* below CMD_IDS_MAX; the same from start to end */
    char full_name[64]; /* "config|get" */
    struct cmd *subs;   /* subcommands, sub_count of them; NULL if there are none */
    int sub_count;
    bool is_gone; /* renamed to nothing: nobody can call it, and COMMAND does not list it */
    /* statistics, [mutator] */
    uint64_t calls, nsec, rejected, failed;
    struct histogram *histogram; /* of durations; NULL: not called yet (exec.c) */
};

/* cmd_table_init: these are the commands, and these the subcommands, those of a parent in one
 * block. The rows are kept [borrowed, for ever] and completed; the index is built, O(count^2)
 * once; nothing is renamed, and the configuration knows the directive rename-command.  Before the
 * first cmd_find(). */
void cmd_table_init(struct cmd *rows, unsigned count, struct cmd *sub_rows, unsigned sub_count);
/* cmd_find: by name, any case; NULL if there is none.  Cost O(1). */
struct cmd *cmd_find(struct slice name);
/* cmd_find_sub: a subcommand, any case; NULL if there is none.  O(subcommands) */
struct cmd *cmd_find_sub(const struct cmd *parent, struct slice name);
/* cmd_find_full: "get" or "config|get". */
struct cmd *cmd_find_full(struct slice name);
/* cmd_set_name: found as `to` from now on, or, where that is empty, not at all; its own name in
 * replies and statistics stays.  At start, before anything is executed.  NULL, or why not. */
const char *cmd_set_name(struct slice from, struct slice to);
/* cmd_table: all commands (not subcommands), gone ones too, and their number. */
struct cmd *cmd_table(unsigned *ret_count);
/* cmd_count: those that are not gone. */
unsigned cmd_count(void);
/* cmd_each: call fn with every command, gone ones too, and behind each with its subcommands. */
void cmd_each(void (*fn)(void *ctx, struct cmd *cmd), void *ctx);
/* cmd_table_reset_stats: CONFIG RESETSTAT. */
void cmd_table_reset_stats(void);

/* cmd_arity_is_good: does a call with argc arguments fit?  */
static inline int
cmd_arity_is_good(const struct cmd *cmd, int argc)
{
    return cmd->arity >= 0 ? argc == cmd->arity : argc >= -cmd->arity;
}

/* Names of a flag or category set, in the order in which COMMAND INFO gives them: the i-th name,
 * NULL after the last; *ret_bit is its bit. */
const char *cmd_flag_name(unsigned i, uint32_t *ret_bit);
const char *cmd_acl_category_name(unsigned i, uint32_t *ret_bit);
const char *cmd_key_flag_name(unsigned i, uint32_t *ret_bit);

#endif
