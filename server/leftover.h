/* server/leftover.h - what a server that was killed in the middle of a save left in the directory
 * of dumps.
 * Threads: mutator. */
#ifndef SERVER_LEFTOVER_H
#define SERVER_LEFTOVER_H

/* leftover_remove: unlink in the working directory what is proved to be a save's that nobody is at
 * any more (temp_file.h), for good.  At start, before the first save.  O(files there) */
void leftover_remove(void);

#endif
