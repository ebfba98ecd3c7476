/* mm/base/text.h - a growing piece of text.
 *
 * Without memory it stays as it is and `failed` is set: look once, at the end.  What it holds ends
 * with a NUL that does not count (at is NULL until something was added).
 * Threads: one at a time. */
#ifndef MM_BASE_TEXT_H
#define MM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t len, room;
    bool failed;
};

void text_add(struct text *t, const char *s);
void text_add_bytes(struct text *t, const void *bytes, size_t len);
void text_addf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_int(struct text *t, int64_t value);
/* text_add_human: bytes as "1.50K", "12.00M", ... */
void text_add_human(struct text *t, uint64_t bytes);
/* text_add_quoted: bytes in double quotes, so that text_split_words() gives them back. */
void text_add_quoted(struct text *t, const char *bytes, size_t len);
/* text_str: what it holds, never NULL. */
const char *text_str(const struct text *t);
/* text_why: the same of a reason that somebody waits for: where there was no memory for it, that is
 * what it says. */
const char *text_why(const struct text *t);
/* text_reserve: so many bytes more will find memory, if there is some now. */
void text_reserve(struct text *t, size_t bytes);
/* text_clear: it holds nothing, and keeps its memory. */
void text_clear(struct text *t);
void text_free(struct text *t);

struct slice;
/* text_split_words: cut a line into words in Redis's way: blanks separate; "..." with \n \r \t \b
 * \a \xHH and \c for any other c; '...' with \' only; a closing quote is followed by a blank or the
 * end.  A NUL ends the line.  The words are put into words[0 .. max): into the line itself, or,
 * where quotes were removed, into scratch (as long as the line at least; NULL will do where nothing
 * is quoted).  Returns their number; -1: unbalanced quotes; -2: more than max. */
int text_split_words(const char *line, size_t len, char *scratch, struct slice *words, int max);

#endif
