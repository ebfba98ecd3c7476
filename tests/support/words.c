/* tests/support/words.c - see words.h. */
#include "tests/support/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/keyhash.h"
#include "mm/base/must.h"

/* hash_of: not inlined, or the compiler thinks that it sees XXH3 read beyond a short word. */
__attribute__((noinline)) static uint64_t
hash_of(struct slice word)
{
    return keyhash(word);
}

/* crowd: word number n of those that a hash table puts into one bucket. */
static char *
crowd(unsigned long n)
{
    enum { CROWD_MAX = 1000, CROWD_MASK = 1023, WORD_BYTES = 24 };
    static unsigned long found[CROWD_MAX], count, next;
    static uint64_t seed; /* that they were found with */
    char *w = malloc(WORD_BYTES);

    must(w != NULL && n < CROWD_MAX);
    if (seed != keyhash_seed)
        count = next = 0;
    for (seed = keyhash_seed; count <= n; next++) {
        size_t len = (size_t)snprintf(w, WORD_BYTES, "^%lu", next);

        if ((hash_of((struct slice){w, len}) & CROWD_MASK) == CROWD_MASK)
            found[count++] = next;
    }
    snprintf(w, WORD_BYTES, "^%lu", found[n]);
    return w;
}

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
    if (len > 1 && text[0] == '^' && sscanf(text, "^%lu", &n) == 1) {
        w = crowd(n);
        *ret_len = strlen(w);
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
