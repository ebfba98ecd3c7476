/* server/cron.h - what is done now and then.
 * Threads: mutator. */
#ifndef SERVER_CRON_H
#define SERVER_CRON_H

/* cron: figures, slow and idle clients, what has become sparse: 1000 / hz ms apart. */
void cron(void);

#endif
