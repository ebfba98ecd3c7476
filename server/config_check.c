/* server/config_check.c - parameters that are kept as the text that was given, once it has been checked.
 *
 * A check is a word and what belongs to it: "bool", "int MIN MAX", "memory", "text", "enum A B ...", "flags A
 * B ..." (several of them), "percentiles" (numbers from 0 to 100), "oom" (three numbers from -2000 to 2000).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/config_option.h"
#include "server/num.h"
#include "server/text.h"

static bool
is_one_of(struct slice word, const char *names)
{
    for (const char *p = names; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (n == word.len && strncasecmp(p, word.ptr, n) == 0)
            return true;
        p += n;
        p += strspn(p, " ");
    }
    return false;
}

static const char *
refuse_list(const char *names)
{
    static char buf[256];
    int n = snprintf(buf, sizeof buf, "argument(s) must be one of the following: ");

    for (const char *p = names; *p != '\0' && n < (int)sizeof buf - 2; p++)
        n += snprintf(buf + n, sizeof buf - (size_t)n, *p == ' ' ? ", " : "%c", *p);
    return buf;
}

static const char *
check_int(struct slice word, const char *range)
{
    static char buf[96];
    long long min, max;
    int64_t n;

    if (!num_parse(word.ptr, word.len, &n))
        return "argument couldn't be parsed into an integer";
    if (sscanf(range, "%lld %lld", &min, &max) == 2 && n >= min && n <= max)
        return NULL;
    snprintf(buf, sizeof buf, "argument must be between %lld and %lld inclusive", min, max);
    return buf;
}

static bool
parse_double(struct slice word, double *ret)
{
    char text[64], *end;

    if (word.len == 0 || word.len >= sizeof text)
        return false;
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0';
}

static bool
is_number_within(struct slice word, double min, double max)
{
    double n;

    return parse_double(word, &n) && n >= min && n <= max;
}

static const char *
check_percentiles(const struct slice *words, int count)
{
    double n;

    for (int i = 0; i < count; i++)
        if (words[i].len > 0 && !parse_double(words[i], &n))
            return "Invalid latency-tracking-info-percentiles parameters";
        else if (words[i].len > 0 && !is_number_within(words[i], 0, 100))
            return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    return NULL;
}

static const char *
check_oom(const struct slice *words, int count)
{
    for (int i = 0; i < count; i++)
        if (!is_number_within(words[i], -2000, 2000))
            return "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    return count == 3 ? NULL : "wrong number of arguments";
}

static bool
is_given(const char *name, const struct slice *words, int count)
{
    for (int i = 0; i < count; i++)
        if (is_one_of(words[i], name))
            return true;
    return false;
}

static const char *
check_flags(const struct slice *words, int count, const char *names)
{
    for (int i = 0; i < count; i++)
        if (!is_one_of(words[i], names))
            return refuse_list(names);
    if (count == 0)
        return refuse_list(names);
    if (is_given("save", words, count) && is_given("nosave", words, count))
        return "shutdown options SAVE and NOSAVE can't be used simultaneously";
    return NULL;
}

/* NULL: the words are good; else what is wrong. */
static const char *
check(const char *how, const struct slice *words, int count)
{
    uint64_t bytes;

    if (strcmp(how, "bool") == 0)
        return is_one_of(words[0], "yes no") ? NULL : "argument must be 'yes' or 'no'";
    if (strncmp(how, "int ", 4) == 0)
        return check_int(words[0], how + 4);
    if (strcmp(how, "memory") == 0)
        return num_parse_memory(words[0].ptr, words[0].len, &bytes) ? NULL
                                                                    : "argument must be a memory value";
    if (strncmp(how, "enum ", 5) == 0)
        return is_one_of(words[0], how + 5) ? NULL : refuse_list(how + 5);
    if (strncmp(how, "flags ", 6) == 0)
        return check_flags(words, count, how + 6);
    if (strcmp(how, "percentiles") == 0)
        return check_percentiles(words, count);
    if (strcmp(how, "oom") == 0)
        return check_oom(words, count);
    return memchr(words[0].ptr, '\0', words[0].len) == NULL ? NULL : "argument holds a zero byte";
}

/* What is kept: numbers of bytes as numbers, words in lower case where only some are allowed, the rest as it
 * was given. */
static void
add_word(struct text *t, const char *how, struct slice word)
{
    bool is_name =
        strcmp(how, "bool") == 0 || strncmp(how, "enum ", 5) == 0 || strncmp(how, "flags ", 6) == 0;
    uint64_t bytes;

    if (strcmp(how, "memory") == 0 && num_parse_memory(word.ptr, word.len, &bytes)) {
        text_addf(t, "%llu", (unsigned long long)bytes);
        return;
    }
    for (size_t i = 0; i < word.len; i++) {
        char c = is_name && word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? (char)(word.ptr[i] + 32) : word.ptr[i];
        text_add_bytes(t, &c, 1);
    }
}

static char **
field_of(const struct option *o, struct config *c)
{
    return (char **)(void *)((char *)c + o->offset);
}

static bool
parse_checked(const struct option *o, struct config *into, const struct slice *words, int count, bool append,
              const char **why)
{
    struct text t = {0};

    (void)append;
    if ((*why = check(o->extra, words, count)) != NULL)
        return false;
    for (int i = 0; i < count; i++) {
        text_add(&t, i > 0 ? " " : "");
        add_word(&t, o->extra, words[i]);
    }
    if (t.at == NULL)
        text_add(&t, "");
    if (t.failed || (t.at == NULL && (t.at = strdup("")) == NULL)) {
        text_free(&t);
        *why = strerror(ENOMEM);
        return false;
    }
    free(*field_of(o, into));
    *field_of(o, into) = t.at;
    return true;
}

static void
show_checked(const struct option *o, const struct config *from, struct text *out)
{
    const char *s = *(char *const *)(const void *)((const char *)from + o->offset);

    text_add(out, s != NULL ? s : "");
}

static bool
copy_checked(const struct option *o, struct config *copy)
{
    char **field = field_of(o, copy);

    return *field == NULL || (*field = strdup(*field)) != NULL;
}

static void
drop_checked(const struct option *o, struct config *from)
{
    free(*field_of(o, from));
    *field_of(o, from) = NULL;
}

const struct option_type option_checked = {
    .parse = parse_checked, .show = show_checked, .copy = copy_checked, .drop = drop_checked};
