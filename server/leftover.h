/* server/leftover.h - what a server that was killed in the middle of a save left in the directory of dumps.
 * Threads: mutator. */
#ifndef SERVER_LEFTOVER_H
#define SERVER_LEFTOVER_H

/* leftover_remove: unlink temp-<pid>.rdb in the working directory, where no process has that number, or it is
 * our own (a container gives the same one to each start).  At start, before the first save.  O(files there)
 */
void leftover_remove(void);

#endif
