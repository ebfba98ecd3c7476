/* mm/base/must.h - assertions: must() stays on in release, debug_check() is for debug builds.
 * Threads: [any].  Asserts are for our own bugs; error codes are for the world's. */
#ifndef MM_BASE_MUST_H
#define MM_BASE_MUST_H

/* must_fail: report a broken rule on stderr, and to must_tell_too, and abort: it does not return.
 * must_tell_too: where the line goes as well, of log.h; NULL: nowhere.  [const after log_open] */
extern void (*must_tell_too)(const char *line);
_Noreturn void must_fail(const char *file, int line, const char *what);

#define must(x)                                                                                    \
    do {                                                                                           \
        if (__builtin_expect(!(x), 0))                                                             \
            must_fail(__FILE__, __LINE__, #x);                                                     \
    } while (0)

#define never(why) must_fail(__FILE__, __LINE__, why)

/* for a variable that debug_check() alone reads */
#define debug_only __attribute__((unused))

#ifdef STILLFRAME_DEBUG
#define debug_check(x) must(x)
#else
#define debug_check(x) ((void)sizeof(!(x)))
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
