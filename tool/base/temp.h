/* tool/base/temp.h - a file that appears under its name when it is complete.
 *
 * Until then it has another name in the same directory (".stillframe-rdb-<pid>-<n>.tmp"), which is
 * gone after an error, and after SIGINT, SIGTERM and SIGHUP, too.  What is no regular file (a
 * device, a named pipe) is written as it is.
 * Threads: one. */
#ifndef TOOL_BASE_TEMP_H
#define TOOL_BASE_TEMP_H

#include <signal.h>
#include <stdbool.h>

struct tool_temp {
    int fd;                 /* to write to; -1: closed */
    char *path, *temp_path; /* [owned] temp_path NULL: it is written under its own name */
    bool force;
    struct tool_temp *next; /* of those that are open */
};

/* tool_temp_open: 0 or -errno; -EEXIST: without `force` a file that is there stays.  It must not
 * move before it is committed or dropped. */
int tool_temp_open(struct tool_temp *t, const char *path, bool force);
/* tool_temp_commit: on the disk, then under its name; what was there is replaced with `force` only.
 * 0 or -errno: nothing of it is left, but where the name alone did not reach the disk. */
int tool_temp_commit(struct tool_temp *t);
/* tool_temp_hold, tool_temp_release: the signals that end the process wait between them: several
 * files get their names, or none. */
void tool_temp_hold(sigset_t *ret_before);
void tool_temp_release(const sigset_t *before);
/* tool_temp_drop: it is taken away.  Also after a commit, or after an open that failed: nothing
 * then. */
void tool_temp_drop(struct tool_temp *t);

#endif
