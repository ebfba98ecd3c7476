/* server/leftover.h - what a server that was killed in the middle of a save, of CONFIG REWRITE or
 * of ACL SAVE left beside the file that it was about to replace.
 * Threads: mutator. */
#ifndef SERVER_LEFTOVER_H
#define SERVER_LEFTOVER_H

/* leftover_remove: unlink in the working directory, and where configuration and users are kept,
 * what is proved to be of no living process (temp_file.h), for good.  At start, before the first
 * save.  O(files there) */
void leftover_remove(void);

#endif
