/* snapshot/rdb/set_aside.h - how a file makes room for the next one where rename() forgets what it
 * replaces: a dump, a configuration, a file of users.
 *
 * OSv's ext gives the name of a file that is replaced to the new one, and the old file keeps its
 * blocks: nothing leads to them any more, and the next saves find the disk full.  There the old
 * dump steps aside first: it is renamed, the new one takes a name that nobody has, and when that is
 * durable the old one is removed.  The names change in one block of the directory, which the system
 * writes as a whole, so that a power cut finds the old dump or the new one under the dump's name;
 * should it find neither, the one that was set aside gets its name back at the next start.
 *
 *     dump.rdb --set_aside--> temp-stillframe-aside-dump.rdb --set_aside_remove--> gone
 *              <--set_aside_undo, set_aside_restore--
 *
 * Threads: [any], one at a time for each path; all of it blocks. */
#ifndef SNAPSHOT_RDB_SET_ASIDE_H
#define SNAPSHOT_RDB_SET_ASIDE_H

#include <limits.h>
#include <stdbool.h>

/* set_aside_name: the name of `path` while it is aside.  0 or -ENAMETOOLONG. */
int set_aside_name(char ret[PATH_MAX], const char *path);
/* set_aside: the file of that name, if there is one, steps aside.  1: it has; 0: there is none, or
 * something that rename() is to refuse or to replace; -errno. */
int set_aside(const char *path);
/* set_aside_undo: it takes its name back, which nobody has. */
void set_aside_undo(const char *path);
/* set_aside_replace: the file `temp` gets the name `path`; if `sets_aside`, the file that has it
 * steps aside first.  1: one is aside, to be removed when the new name is durable; 0: none is;
 * -errno: each has the name that it had. */
int set_aside_replace(const char *temp, const char *path, bool sets_aside);
/* set_aside_remove: it goes; not before the new name is durable.  0, also when there is none, or
 * -errno. */
int set_aside_remove(const char *path);
/* set_aside_restore: at the start.  1: what was set aside has its name back, since nobody had it;
 * 0: there was nothing to do but, perhaps, to remove it; -errno. */
int set_aside_restore(const char *path);

#endif
