/* server/cron.h - what is done now and then, and the loop's part of what stands below the loop.
 * Threads: mutator. */
#ifndef SERVER_CRON_H
#define SERVER_CRON_H

/* cron_init: from the loop's first turn on: figures, slow and idle clients, what has become sparse,
 * 1000 / hz ms apart; and background work on the databases and on free memory, which cron() has the
 * loop look for. */
void cron_init(void);

#endif
