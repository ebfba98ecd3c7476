/* mm/base/log_few.c - see log_few.h. */
#include "mm/base/log_few.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/clock.h"

enum { TEXT_BYTES = 896 /* of a line of a kilobyte: its head and the count have room, too */ };

static bool
may_say(struct log_few *kind)
{
    if (kind->since_ns == 0 ||
        clock_now.turn_ns - kind->since_ns >= (int64_t)kind->seconds * 1000000000) {
        kind->since_ns = clock_now.turn_ns;
        kind->said = 0;
    }
    if (kind->said < kind->lines) {
        kind->said++;
        return true;
    }
    kind->unsaid++;
    return false;
}

void
log_few(struct log_few *kind, enum log_level level, const char *format, ...)
{
    char text[TEXT_BYTES], more[48] = "";
    va_list ap;
    int n;

    if (!may_say(kind))
        return;
    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof text)
        memset(text + sizeof text - 4, '.', 3);
    if (kind->unsaid > 0)
        snprintf(more, sizeof more, "; %u more before it", kind->unsaid);
    kind->unsaid = 0;
    log_line(level, "%s%s", text, more);
}
