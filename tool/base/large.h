/* tool/base/large.h - memory for what must be held whole, however large it is: a temporary file
 * (spill.h) that is mapped.
 *
 * Its pages are the system's, not the process's: a thread lets go of those that were touched, every
 * millisecond, and who touches them again gets them back from the file, or from the system's cache
 * of it.
 * Threads: any. */
#ifndef TOOL_BASE_LARGE_H
#define TOOL_BASE_LARGE_H

#include <stddef.h>

/* tool_large: as realloc(), of `room` bytes, of which the first `had` at `at` stay; at NULL: new
 * ones; room 0: given back, and NULL; room == had: its pages are let go of at once.  NULL
 * otherwise: there is no room for so much, and `at` is what it was.  Fits struct rdb_reader.
 * tool_large_let_go: of all pages, at once: for who looks through a GB in less time than it may
 * take until the thread has its turn. */
void *tool_large(void *at, size_t had, size_t room);
void tool_large_let_go(void);

#endif
