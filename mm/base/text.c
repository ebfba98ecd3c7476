/* mm/base/text.c - a growing piece of text, and its way back: a line cut into words. */
#include "mm/base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/slice.h"

/* is_sound: what text.h says of a text, whenever nobody is at work on it. */
static inline bool
is_sound(const struct text *t)
{
    if (t->at == NULL)
        return t->len == 0 && t->room == 0;
    return t->len < t->room && t->at[t->len] == '\0';
}

static bool
make_room(struct text *t, size_t more)
{
    size_t room = t->room > 0 ? t->room : 64;
    char *p;

    debug_check(is_sound(t));
    must(more < SIZE_MAX / 4); /* or the doubling below does not end */
    if (t->failed)
        return false;
    if (t->at != NULL && t->room - t->len > more)
        return true;
    while (room - t->len <= more)
        room *= 2;
    if ((p = realloc(t->at, room)) == NULL) {
        t->failed = true;
        return false;
    }
    t->at = p;
    t->room = room;
    return true;
}

void
text_add_bytes(struct text *t, const void *bytes, size_t len)
{
    if (!make_room(t, len))
        return;
    if (len > 0)
        memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = '\0';
}

void
text_add(struct text *t, const char *s)
{
    text_add_bytes(t, s, strlen(s));
}

void
text_addf(struct text *t, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0 || !make_room(t, (size_t)n))
        return;
    va_start(ap, format);
    vsnprintf(t->at + t->len, t->room - t->len, format, ap);
    va_end(ap);
    t->len += (size_t)n;
    debug_check(is_sound(t)); /* both passes of the format gave as many bytes */
}

void
text_add_int(struct text *t, int64_t value)
{
    char buf[NUM_MAX_BYTES];

    text_add_bytes(t, buf, (size_t)(num_put(buf, value) - buf));
}

void
text_add_human(struct text *t, uint64_t bytes)
{
    static const char units[] = "KMGTP";
    double v = (double)bytes / 1024;
    size_t i = 0;

    if (bytes < 1024) {
        text_addf(t, "%lluB", (unsigned long long)bytes);
        return;
    }
    for (; v >= 1024 && i < sizeof units - 2; i++)
        v /= 1024;
    text_addf(t, "%.2f%c", v, units[i]);
}

void
text_add_quoted(struct text *t, const char *bytes, size_t len)
{
    static const char plain[] = "\\\"\n\r\t\a\b", letter[] = "\\\"nrtab";

    text_add(t, "\"");
    for (size_t i = 0; i < len; i++) {
        const char *special = bytes[i] != '\0' ? strchr(plain, bytes[i]) : NULL;
        if (special != NULL)
            text_addf(t, "\\%c", letter[special - plain]);
        else if (isprint((unsigned char)bytes[i]))
            text_add_bytes(t, bytes + i, 1);
        else
            text_addf(t, "\\x%02x", (unsigned char)bytes[i]);
    }
    text_add(t, "\"");
}

const char *
text_str(const struct text *t)
{
    return t->at != NULL ? t->at : "";
}

const char *
text_why(const struct text *t)
{
    return t->failed && t->len == 0 ? "out of memory, for the reason too" : text_str(t);
}

void
text_reserve(struct text *t, size_t bytes)
{
    (void)make_room(t, bytes);
    if (t->at != NULL)
        t->at[t->len] = '\0';
}

void
text_clear(struct text *t)
{
    t->len = 0;
    if (t->at != NULL)
        t->at[0] = '\0';
}

void
text_free(struct text *t)
{
    free(t->at);
    *t = (struct text){0};
}

/* ---- words ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One escape inside double quotes, at the backslash; returns its length. */
static size_t
unescape(const char *p, const char *end, char *ret)
{
    static const char letter[] = "nrtba", meaning[] = "\n\r\t\b\a";
    const char *at;

    if (end - p >= 4 && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
        *ret = (char)(hex_digit(p[2]) * 16 + hex_digit(p[3]));
        return 4;
    }
    at = strchr(letter, p[1]);
    *ret = at != NULL && *at != '\0' ? meaning[at - letter] : p[1];
    return 2;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As in Redis, a vertical tab or a form feed is a blank between words, and within one it is not. */
static bool
ends_word(char c)
{
    return is_blank(c) && c != '\v' && c != '\f';
}

/* A quoted part, from its opening quote; the bytes go to *out.  Returns the place after the closing
 * quote, or NULL. */
static const char *
take_quoted(const char *p, const char *end, char **out)
{
    char quote = *p++;

    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end && quote == '"') {
            p += unescape(p, end, *out) - 1;
            (*out)++;
        } else if (*p == '\\' && p + 1 < end && p[1] == '\'' && quote == '\'') {
            *(*out)++ = *++p;
        } else if (*p == quote) {
            return p + 1 == end || is_blank(p[1]) ? p + 1 : NULL;
        } else {
            *(*out)++ = *p;
        }
    }
    return NULL;
}

/* One word from p on: as it stands, or from its first quote on copied to *scratch.  NULL:
 * unbalanced quotes. */
static const char *
take_word(const char *p, const char *end, char **scratch, struct slice *ret)
{
    const char *start = p;
    char *out = *scratch;

    while (p < end && !ends_word(*p) && *p != '"' && *p != '\'')
        p++;
    if (p == end || ends_word(*p)) {
        *ret = (struct slice){start, (size_t)(p - start)};
        return p;
    }
    must(out != NULL);
    memcpy(out, start, (size_t)(p - start));
    out += p - start;
    p = take_quoted(p, end, &out); /* behind the closing quote there is no more */
    debug_check(p == NULL || out - *scratch <= p - start); /* it has lost its quotes */
    *ret = (struct slice){*scratch, (size_t)(out - *scratch)};
    *scratch = out;
    return p;
}

int
text_split_words(const char *line, size_t len, char *scratch, struct slice *words, int max)
{
    const char *p = line, *end = line + strnlen(line, len);
    int n = 0;

    for (;;) {
        while (p < end && is_blank(*p))
            p++;
        if (p == end)
            return n;
        if (n == max)
            return -2;
        if ((p = take_word(p, end, &scratch, &words[n])) == NULL)
            return -1;
        n++;
    }
}
