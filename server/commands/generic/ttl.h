/* server/commands/generic/ttl.h - from what a client says of time to a deadline.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_GENERIC_TTL_H
#define SERVER_COMMANDS_GENERIC_TTL_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/clock.h"

/* ttl_deadline: n, in seconds or milliseconds, absolute or from now, as unix milliseconds.  False:
 * out of range. */
static inline bool
ttl_deadline(int64_t n, bool seconds, bool absolute, int64_t *ret)
{
    if (seconds && __builtin_mul_overflow(n, 1000, &n))
        return false;
    if (!absolute && __builtin_add_overflow(n, clock_now.ms, &n))
        return false;
    *ret = n;
    return true;
}

#endif
