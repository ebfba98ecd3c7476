/* server/process/ceilings.h - limits that the system has set this process, in words for whoever
 * reads that it does not start.
 * Threads: [any]. */
#ifndef SERVER_PROCESS_CEILINGS_H
#define SERVER_PROCESS_CEILINGS_H

/* ceilings_log: a line that names the limits of memory, threads and files that are set; none if
 * none is. */
void ceilings_log(void);

#endif
