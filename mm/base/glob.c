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
static __attribute__((noinline)) const char *
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
static inline __attribute__((always_inline)) const char *
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

/* go_on: the walk, as far as the piece and the steps reach, or, if the piece is the whole text, to
 * its end.  It is compiled once for each of the two: matching a whole text is what KEYS does. */
static inline __attribute__((always_inline)) enum glob_state
go_on(struct glob_walk *w, bool is_whole, struct slice piece, uint64_t piece_at, size_t steps)
{
    const char *begin = w->pattern.ptr, *end = begin + w->pattern.len, *p = begin + w->element;
    const char *star = w->star > 0 ? begin + w->star : NULL; /* what follows the last star */
    const bool nocase = w->nocase;
    const uint64_t text_len = w->text_len;
    uint64_t at = w->at, star_at = w->star_at;
    enum glob_state state = GLOB_AGAIN;

    while (at < text_len && (is_whole || steps-- > 0)) {
        const char *next;
        if (p < end && *p == '*') {
            star = ++p;
            star_at = at;
            if (p == end)
                return GLOB_YES;
            continue;
        }
        if (!is_whole && (at < piece_at || at - piece_at >= piece.len))
            break;
        if (p < end && (next = match_one(p, end, piece.ptr[at - piece_at], nocase)) != NULL) {
            p = next;
            at++;
            continue;
        }
        if (star == NULL)
            return GLOB_NO;
        debug_check(star_at < text_len); /* the star takes a byte more each time: it ends */
        p = star;
        at = ++star_at;
    }
    if (at == text_len) {
        while (p < end && *p == '*')
            p++;
        state = p == end ? GLOB_YES : GLOB_NO;
    }
    w->element = (size_t)(p - begin);
    w->star = star == NULL ? 0 : (size_t)(star - begin);
    w->at = at;
    w->star_at = star_at;
    return state;
}

void
glob_begin(struct glob_walk *w, struct slice pattern, uint64_t text_len, bool nocase)
{
    *w = (struct glob_walk){.pattern = pattern, .nocase = nocase, .text_len = text_len};
}

enum glob_state
glob_go_on(struct glob_walk *w, struct slice piece, uint64_t piece_at, size_t steps)
{
    if (w->text_len == 0)
        return w->pattern.len == 0 ? GLOB_YES : GLOB_NO;
    return go_on(w, false, piece, piece_at, steps);
}

bool
glob_match(struct slice pattern, struct slice text, bool nocase)
{
    struct glob_walk w = {.pattern = pattern, .nocase = nocase, .text_len = text.len};

    if (text.len == 0)
        return pattern.len == 0;
    return go_on(&w, true, text, 0, 0) == GLOB_YES;
}
