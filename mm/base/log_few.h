/* mm/base/log_few.h - lines that anybody can cause who reaches the port: so many of a kind in a
 * time, and no more, or the log would fill the disk.
 * Threads: mutator. */
#ifndef MM_BASE_LOG_FEW_H
#define MM_BASE_LOG_FEW_H

#include <stdint.h>

#include "mm/base/log.h"

/* A kind of line: static, with the first two given, the rest zeroed. */
struct log_few {
    unsigned lines, seconds; /* at most so many in so many seconds */
    int64_t since_ns;        /* when the time began, in the clock of clock_now.turn_ns; 0: never */
    unsigned said;           /* since then */
    unsigned unsaid;         /* since the last one that was said */
};

/* log_few: as log_line(), or nothing.  Behind the next line that is said stands how many were not:
 * "; 7 more before it". */
void log_few(struct log_few *kind, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
