/* snapshot/rdb/temp_file.h - the file that is written before it gets the name of a dump, of the
 * configuration or of the users: whose it is, and whether anybody still writes it.
 *
 * The name says that a server of this kind made it: "temp-stillframe-<pid>-<16 digits>.rdb", or
 * ".stillframe-<pid>-<16 digits>.conf", and nobody else has it, on this machine or another that
 * shares the directory.  A lock (flock) on the file says that its maker lives: the system takes it
 * away with the process, whatever kills that, and it is seen by processes that do not see each
 * other's numbers, which are used again.  So what has such a name and can be locked was left
 * behind; the number in it is for people, and nobody asks whether that process lives.
 * Threads: [any], but for temp_file_note(): sweep. */
#ifndef SNAPSHOT_RDB_TEMP_FILE_H
#define SNAPSHOT_RDB_TEMP_FILE_H

#include <stdbool.h>

enum { TEMP_NAME_BYTES = 64 };

enum temp_kind { TEMP_DUMP, TEMP_CONF, TEMP_NONE };

/* temp_file_name: a new one of that kind. */
void temp_file_name(enum temp_kind kind, char ret[TEMP_NAME_BYTES]);
/* temp_file_kind: of which form is the name?  TEMP_NONE: of none of them. */
enum temp_kind temp_file_kind(const char *name);

/* temp_file_hold: lock a file that was just made.  0, also where files cannot be locked; -EAGAIN:
 * somebody took it for a leftover in the same moment: make another one. */
int temp_file_hold(int fd);
/* temp_file_remove: remove what was left behind under this path.  1: removed; 0: it is not ours, or
 * is being written, or nobody can tell; -errno. */
int temp_file_remove(const char *path);

/* temp_file_note: this path (absolute) is the process's own temporary file now; NULL: it has none
 * any more.  One save runs at a time. */
void temp_file_note(const char *path);
/* temp_file_drop_noted: unlink it, on the way out of the process.  Signal handlers may. */
void temp_file_drop_noted(void);

#endif
