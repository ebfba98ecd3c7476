/* tests/support/words.c - see words.h. */
#include "tests/support/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/must.h"

static char *
make_word(const char *text, size_t len, size_t *ret_len)
{
    unsigned long n;
    char fill, *w;

    if (len > 1 && text[0] == '@' && sscanf(text, "@%lu*%c", &n, &fill) == 2) {
        must((w = malloc(n + 1)) != NULL);
        memset(w, fill, n);
        *ret_len = n;
        return w;
    }
    must((w = strndup(text, len)) != NULL);
    *ret_len = len == 2 && memcmp(text, "''", 2) == 0 ? 0 : len;
    return w;
}

void
words_split(struct words *w, const char *line, size_t len)
{
    size_t i = 0;

    for (w->argc = 0; i < len;) {
        size_t start;

        while (i < len && line[i] == ' ')
            i++;
        for (start = i; i < len && line[i] != ' '; i++)
            ;
        if (i > start) {
            must(w->argc < WORDS_MAX);
            w->owned[w->argc] = make_word(line + start, i - start, &w->argv[w->argc].len);
            w->argv[w->argc].ptr = w->owned[w->argc];
            w->argc++;
        }
    }
}

void
words_free(struct words *w)
{
    while (w->argc > 0)
        free(w->owned[--w->argc]);
}
