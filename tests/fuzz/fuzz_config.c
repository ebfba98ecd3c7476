/* tests/fuzz/fuzz_config.c - configuration files and CONFIG SET against bytes that mean harm.
 *
 * Properties: what was taken can be shown and set again, and shows the same then; a refused CONFIG
 * SET changes nothing; a refusal always has a text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/config/config.h"

enum { PAIRS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
add_value(void *ctx, const char *name, struct slice value)
{
    struct text *t = ctx;

    text_add(t, name);
    text_add(t, " ");
    text_add_quoted(t, value.ptr, value.len);
    text_add(t, "\n");
}

static void
show(struct text *ret)
{
    struct slice all = SLICE("*");

    text_free(ret);
    config_each_match(&all, 1, add_value, ret);
}

/* Other files are not this test's business. */
static bool
reads_files(const char *bytes, size_t len)
{
    for (size_t i = 0; i + 7 <= len; i++)
        if (strncasecmp(bytes + i, "include", 7) == 0)
            return true;
    return false;
}

static void
load(const char *bytes, size_t len)
{
    struct text why = {0}, first = {0}, second = {0};
    int r = config_load_text("fuzz", bytes, len, &why);

    must((r < 0) == (why.len > 0));
    show(&first);
    text_free(&why);
    config_fini();
    must(config_init() == 0);
    must(config_load_text("again", text_str(&first), first.len, &why) == 0);
    show(&second);
    must(strcmp(text_str(&first), text_str(&second)) == 0);
    text_free(&why);
    text_free(&first);
    text_free(&second);
}

/* Words between zero bytes: name, value, name, value. */
static void
set(const char *bytes, size_t len)
{
    struct slice words[2 * PAIRS_MAX];
    struct text why = {0}, before = {0}, after = {0};
    const char *end = bytes + len;
    int n = 0;

    while (bytes < end && n < 2 * PAIRS_MAX) {
        const char *stop = memchr(bytes, '\0', (size_t)(end - bytes));
        words[n++] = (struct slice){bytes, (size_t)((stop != NULL ? stop : end) - bytes)};
        bytes += words[n - 1].len + 1;
    }
    show(&before);
    if (n >= 2 && config_set(words, n / 2, true, &why) < 0) {
        show(&after);
        must(why.len > 0);
        must(strcmp(text_str(&before), text_str(&after)) == 0);
    }
    text_free(&why);
    text_free(&before);
    text_free(&after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;

    if (size == 0 || reads_files(bytes, size))
        return 0;
    must(config_init() == 0);
    if (data[0] % 2 == 0)
        load(bytes + 1, size - 1);
    else
        set(bytes + 1, size - 1);
    config_fini();
    return 0;
}
