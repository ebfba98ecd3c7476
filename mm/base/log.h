/* mm/base/log.h - the server's log, in Redis's line format:  pid:role date time level message.
 * Threads: [any]. */
#ifndef MM_BASE_LOG_H
#define MM_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level {
    LOG_DEBUG,
    LOG_VERBOSE,
    LOG_NOTICE,
    LOG_WARNING,
    LOG_NOTHING /* of the log, not of a line */
};

/* log_open: lines go to this file from now on (opened anew for each line, so that it can be moved
 * away), or to standard output when path is "".  0 or -errno: the file cannot be written.  The
 * calling thread is role M, any other one role C.  Thread: the main thread, before others are
 * started. */
int log_open(const char *path);
/* log_set_level: lines below it are dropped. */
void log_set_level(enum log_level level);

/* log_line: one line, written whole, whatever is in it: a control character comes as "?", and what
 * is beyond a kilobyte as "...".  A level below the configured loglevel is dropped.  Role is M; C
 * in any thread but the main one. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* log_from_signal: one line, with nothing that a signal handler may not do. */
void log_from_signal(const char *message);

/* log_open_for_signal: a descriptor that writes to the log, to be closed unless it is standard
 * output; -1: none. */
int log_open_for_signal(void);

#endif
