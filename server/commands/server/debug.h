/* server/commands/server/debug.h - DEBUG's subcommands that live outside commands/server/debug.c.
 * Each reads c->argv (argv[1] is the subcommand's name) and writes one reply; the number of
 * arguments was checked against the table in commands/server/debug.c.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SERVER_DEBUG_H
#define SERVER_COMMANDS_SERVER_DEBUG_H

#include <stdbool.h>

struct client;

/* ---- debug_data.c ---- */
void debug_reload(struct client *c);       /* RELOAD [NOSAVE] [NOFLUSH] [MERGE] */
void debug_digest(struct client *c);       /* DIGEST */
void debug_digest_value(struct client *c); /* DIGEST-VALUE [key ...] */
void debug_populate(struct client *c);     /* POPULATE count [prefix] [size] */
void debug_object(struct client *c);       /* OBJECT key */

/* ---- debug_tables.c ---- */
void debug_htstats(struct client *c);     /* HTSTATS db [full] */
void debug_htstats_key(struct client *c); /* HTSTATS-KEY key [full] */
void debug_listpack(struct client *c);    /* LISTPACK key */
void debug_quicklist(struct client *c);   /* QUICKLIST key [0|1] */
void debug_sdslen(struct client *c);      /* SDSLEN key */
void debug_structsize(struct client *c);  /* STRUCTSIZE */

/* ---- debug_trials.c ---- */
void debug_stringmatch_len(struct client *c);  /* STRINGMATCH-LEN length pattern */
void debug_stringmatch_test(struct client *c); /* STRINGMATCH-TEST */
void debug_segfault(struct client *c);         /* SEGFAULT */
void debug_panic(struct client *c);            /* PANIC */
void debug_assert(struct client *c);           /* ASSERT */
void debug_oom(struct client *c);              /* OOM */
void debug_leak(struct client *c);             /* LEAK string */
#ifdef STILLFRAME_FAULTS
void debug_fault(struct client *c); /* FAULT [point|ANY|OFF [call [FOREVER]]] */
#endif

/* ---- server.c ---- */
/* server_rewrite_config: CONFIG REWRITE; all: what is at its default too. */
void server_rewrite_config(struct client *c, bool all);

#endif
