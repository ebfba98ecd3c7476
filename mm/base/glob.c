/* mm/base/glob.c - glob patterns.
 *
 * A star takes as few bytes as possible; when what follows fails, only the last star seen takes one
 * more: an earlier one could not help, since whatever it would give up the last one can take.  So
 * there is no recursion, and no pattern is worse than quadratic. */
#include "mm/base/glob.h"

#include "mm/base/must.h"

static inline unsigned char
fold(char c, bool nocase)
{
    return (unsigned char)(nocase && c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* A class, from the byte after '['.  A class that is not closed ends with the pattern.  Returns the
 * place after it. */
static const char *
match_class(const char *p, const char *end, char c, bool nocase, bool *ret_match)
{
    unsigned char want = fold(c, nocase);
    bool negated = p < end && *p == '^', match = false;

    p += negated;
    for (; p < end && *p != ']'; p++) {
        unsigned char from, to;
        if (*p == '\\' && end - p >= 2) {
            p++;
            match |= (unsigned char)*p == (unsigned char)c;
            continue;
        }
        from = to = fold(*p, nocase);
        if (end - p >= 3 && p[1] == '-') {
            p += 2;
            to = fold(*p, nocase);
        }
        match |= from <= to ? want >= from && want <= to : want >= to && want <= from;
    }
    *ret_match = match != negated;
    return p < end ? p + 1 : end;
}

/* One byte of text against one element (not a star) at p.  Returns the place after the element,
 * NULL: no match. */
static const char *
match_one(const char *p, const char *end, char c, bool nocase)
{
    bool match;

    debug_check(p < end && *p != '*');
    if (*p == '?')
        return p + 1;
    if (*p == '[') {
        p = match_class(p + 1, end, c, nocase, &match);
        return match ? p : NULL;
    }
    if (*p == '\\' && end - p >= 2)
        p++;
    return fold(*p, nocase) == fold(c, nocase) ? p + 1 : NULL;
}

bool
glob_match(struct slice pattern, struct slice text, bool nocase)
{
    const char *p = pattern.ptr, *p_end = p + pattern.len, *t = text.ptr, *t_end = t + text.len;
    /* what follows the last star, and where it was tried last */
    const char *star = NULL, *star_t = NULL;

    if (text.len == 0)
        return pattern.len == 0;
    while (t < t_end) {
        const char *next;
        if (p < p_end && *p == '*') {
            star = ++p;
            star_t = t;
            if (p == p_end)
                return true;
            continue;
        }
        if (p < p_end && (next = match_one(p, p_end, *t, nocase)) != NULL) {
            p = next;
            t++;
            continue;
        }
        if (star == NULL)
            return false;
        debug_check(star_t < t_end); /* the star takes a byte more each time: it ends */
        p = star;
        t = ++star_t;
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}
