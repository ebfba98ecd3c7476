/* server/limits.h - the configuration, handed down to the data.
 *
 * Nothing in server/data/ knows of the configuration: each module there has limits of its own, with
 * the same defaults.
 * Threads: mutator. */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

/* limits_init: copy what is configured, now and after each CONFIG SET.  After config_init(); again
 * is harmless. */
void limits_init(void);

#endif
