/* server/memory/trim.h - what malloc() keeps of what was freed goes back to the system.
 *
 * glibc gives back by itself only what is free at the end of its heap: behind one small block that
 * lives on there stays what a burst has used (clients' buffers, scripts, long replies).  So
 * malloc_trim() is called when much is free, in no more chunks than a turn of the loop may walk
 * through, and the less often the less it brings.  More than a turn may give back waits until
 * nobody has a command for a second.
 * Threads: mutator. */
#ifndef SERVER_MEMORY_TRIM_H
#define SERVER_MEMORY_TRIM_H

/* memory_trim: now, whatever it costs: O(free chunks). */
void memory_trim(void);
/* memory_trim_watch: by the last sample (usage.h); now and then. */
void memory_trim_watch(void);

#endif
