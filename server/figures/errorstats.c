/* server/figures/errorstats.c - error replies by code. */
#include "server/figures/errorstats.h"

#include <stdint.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/figures/stats.h"

enum { CODES_MAX = 128, CODE_MAX_BYTES = 31 };

static struct {
    char code[CODE_MAX_BYTES + 1];
    uint64_t count;
} codes[CODES_MAX];
static unsigned code_count;

void
errorstats_count(const char *error)
{
    size_t len = strcspn(error, " ");
    unsigned i;

    must(len > 0 && error[0] != '-'); /* a code, without what the protocol puts before it */
    stats.error_replies++;
    if (len > CODE_MAX_BYTES)
        len = CODE_MAX_BYTES;
    for (i = 0; i < code_count; i++)
        if (strncmp(codes[i].code, error, len) == 0 && codes[i].code[len] == '\0')
            break;
    if (i == CODES_MAX)
        return;
    if (i == code_count) {
        memcpy(codes[i].code, error, len);
        codes[i].code[len] = '\0';
        codes[i].count = 0;
        code_count++;
    }
    codes[i].count++;
}

void
errorstats_reset(void)
{
    code_count = 0;
    stats.error_replies = 0;
}

void
errorstats_info(struct text *out)
{
    for (unsigned i = 0; i < code_count; i++)
        text_addf(out, "errorstat_%s:count=%llu\r\n", codes[i].code,
                  (unsigned long long)codes[i].count);
}
