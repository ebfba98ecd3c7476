/* snapshot/rdb/rdb_dec_skip.c - values that nobody wants to know: only where they end is looked at.
 *
 * A type's shape is a word of a small language:
 *
 *     s  a string        l  a length        8  eight bytes        i  an ID, 16 bytes
 *     a  a score as text (its length in one byte, which may also stand for NaN or an infinity)
 *     (...)  a length, and so many times what stands between the parentheses */
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb_dec_impl.h"

enum { SCORE_LONGEST = 252 }; /* above: no length, but the score itself */

static int skip_parts(struct dec *d, const char *at, const char *end);

/* behind: the parenthesis that closes the one before `at`. */
static const char *
behind(const char *at)
{
    for (int open = 1;; at++) {
        open += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        if (open == 0)
            return at;
    }
}

static int
skip_many(struct dec *d, const char *at, const char *end)
{
    uint64_t times = 0;
    int r = dec_len(d, &times);

    for (uint64_t i = 0; r == 0 && i < times; i++) /* ends: each one is a byte at least */
        if ((r = skip_parts(d, at, end)) == 0)
            r = dec_progress(d);
    return r;
}

static int
skip_score(struct dec *d)
{
    uint8_t len = 0;
    int r = dec_byte(d, &len);

    return r != 0 || len > SCORE_LONGEST ? r : dec_skip_bytes(d, len);
}

static int
skip_part(struct dec *d, char part)
{
    uint64_t ignored;

    switch (part) {
    case 's':
        return dec_string_skip(d);
    case 'l':
        return dec_len(d, &ignored);
    case '8':
        return dec_skip_bytes(d, 8);
    case 'i':
        return dec_skip_bytes(d, STREAM_ID_BYTES);
    case 'a':
        return skip_score(d);
    }
    never("a shape has no such part");
}

static int
skip_parts(struct dec *d, const char *at, const char *end)
{
    int r = 0;

    for (; r == 0 && at < end; at++) {
        if (*at != '(') {
            r = skip_part(d, *at);
            continue;
        }
        r = skip_many(d, at + 1, behind(at + 1));
        at = behind(at + 1);
    }
    return r;
}

int
dec_skip(struct dec *d, const char *shape)
{
    d->what = "the value";
    return skip_parts(d, shape, shape + strlen(shape));
}
