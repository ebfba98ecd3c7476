/* tool/convert/leftovers.h - files that go when a signal ends the process.
 * Threads: one. */
#ifndef TOOL_CONVERT_LEFTOVERS_H
#define TOOL_CONVERT_LEFTOVERS_H

/* leftovers_add: a path, which need not be there yet.  The first one takes SIGINT, SIGTERM and
 * SIGHUP, where they are not ignored.  0 or -ENOMEM.
 * leftovers_clear: there is nothing to remove any more. */
int leftovers_add(const char *path);
void leftovers_clear(void);

#endif
