/* server/commands/debug.h - DEBUG's subcommands that live outside cmd_server.c.  Each reads c->argv (argv[1]
 * is the subcommand's name) and writes one reply; the number of arguments was checked against the table in
 * cmd_server.c. Threads: mutator. */
#ifndef SERVER_DEBUG_H
#define SERVER_DEBUG_H

struct client;

void debug_reload(struct client *c);       /* RELOAD [NOSAVE] [NOFLUSH] [MERGE]         persist.c */
void debug_digest(struct client *c);       /* DIGEST                                    debug_data.c */
void debug_digest_value(struct client *c); /* DIGEST-VALUE [key ...]                    debug_data.c */
void debug_populate(struct client *c);     /* POPULATE count [prefix] [size]            debug_data.c */
void debug_object(struct client *c);       /* OBJECT key                                debug_data.c */

void debug_htstats(struct client *c);     /* HTSTATS db [full]                         debug_tables.c */
void debug_htstats_key(struct client *c); /* HTSTATS-KEY key [full]                    debug_tables.c */
void debug_listpack(struct client *c);    /* LISTPACK key                              debug_tables.c */
void debug_sdslen(struct client *c);      /* SDSLEN key                                debug_tables.c */
void debug_structsize(struct client *c);  /* STRUCTSIZE                                debug_tables.c */

#endif
