/* tool/base/text.c - numbers and sizes as text, and bars. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/num.h"
#include "mm/base/printable.h"
#include "tool/base/tool.h"

enum { BUFFERS = 16, BUFFER_BYTES = 128, BAR_WIDTH = 40 };

static char *
next_buffer(void)
{
    static char buffers[BUFFERS][BUFFER_BYTES];
    static unsigned next;

    return buffers[next++ % BUFFERS];
}

void *
tool_got(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        exit(TOOL_INVALID);
    }
    return p;
}

const char *
tool_count(uint64_t n)
{
    char digits[NUM_MAX_BYTES], *text = next_buffer(), *p = text;
    int len = (int)(num_put_unsigned(digits, n) - digits);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return text;
}

const char *
tool_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    char *text = next_buffer();
    double v = (double)bytes;
    unsigned u = 0;

    for (; v >= 1023.95 && u < sizeof units / sizeof *units - 1;
         u++) /* what would print as 1024.0 is 1.0 of the next */
        v /= 1024;
    if (u == 0) {
        memcpy(num_put_unsigned(text, bytes), " B", 3);
        return text;
    }
    snprintf(text, BUFFER_BYTES, v == (double)(unsigned)v ? "%.0f %s" : "%.1f %s", v, units[u]);
    return text;
}

const char *
tool_seconds(double s)
{
    char *text = next_buffer();
    unsigned long whole = (unsigned long)(s + 0.5);

    if (s < 10)
        snprintf(text, BUFFER_BYTES, "%.2f s", s);
    else if (whole < 100)
        snprintf(text, BUFFER_BYTES, "%lu s", whole);
    else if (whole < 3600)
        snprintf(text, BUFFER_BYTES, "%lu min %lu s", whole / 60, whole % 60);
    else
        snprintf(text, BUFFER_BYTES, "%lu h %lu min", whole / 3600, whole / 60 % 60);
    return text;
}

const char *
tool_key(struct slice name)
{
    char *text = next_buffer();
    size_t n;

    text[0] = '"';
    printable(text + 1, 60, name.ptr, name.len);
    n = strlen(text);
    text[n] = '"';
    text[n + 1] = '\0';
    return text;
}

const char *
tool_bar(uint64_t part, uint64_t most)
{
    char *text = next_buffer();
    unsigned n = most == 0 ? 0 : (unsigned)((double)part / (double)most * BAR_WIDTH + 0.5);

    if (n == 0 && part > 0)
        n = 1;
    memset(text, '#', n);
    text[n] = '\0';
    return text;
}
