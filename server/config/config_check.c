/* server/config/config_check.c - parameters that are kept as text, once it has been checked: in one
 * spelling, however it was given.
 *
 * A check is a word and what belongs to it:
 *
 *   bool   int MIN MAX   memory MIN   bytes   hostname
 *   text             no zero byte
 *   title            of a process
 *   enum A B>C ...   one of these; B is shown as C
 *   flags A B ...    several of them; A alone stands for none
 *   percentiles      numbers from 0 to 100
 *   oom              three numbers from -2000 to 2000
 *   schedule         times in cron's form, or nothing */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mm/base/cron_form.h"
#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/config/config_impl.h"

/* find_name: a word in a list of names separated by blanks; NULL, or where it is. */
static const char *
find_name(struct slice word, const char *names)
{
    for (const char *p = names; *p != '\0'; p += strspn(p, " ")) {
        if (strcspn(p, " >") == word.len && strncasecmp(p, word.ptr, word.len) == 0)
            return p;
        p += strcspn(p, " ");
    }
    return NULL;
}

static bool
is_one_of(struct slice word, const char *names)
{
    return find_name(word, names) != NULL;
}

static const char *
refuse_list(const char *names)
{
    static char buf[256];
    int n = snprintf(buf, sizeof buf, "argument(s) must be one of the following: ");

    for (const char *p = names; *p != '\0' && n < (int)sizeof buf - 2; p++) {
        if (*p == '>')
            p += strcspn(p, " ");
        if (*p == '\0')
            break;
        n += snprintf(buf + n, sizeof buf - (size_t)n, *p == ' ' ? ", " : "%c", *p);
    }
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
    return end == text + word.len && !isnan(*ret);
}

static const char *
check_percentiles(const struct slice *words, int count)
{
    double n;

    for (int i = 0; i < count; i++)
        if (words[i].len > 0 && !parse_double(words[i], &n))
            return "Invalid latency-tracking-info-percentiles parameters";
        else if (words[i].len > 0 && (n < 0 || n > 100))
            return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    return NULL;
}

static bool
parse_oom(struct slice word, long *ret)
{
    char text[32], *end;

    if (word.len == 0 || word.len >= sizeof text)
        return false;
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    *ret = strtol(text, &end, 10);
    return end == text + word.len && *ret >= -2000 && *ret <= 2000;
}

static const char *
check_oom(const struct slice *words, int count)
{
    long n;

    if (count != 3)
        return "wrong number of arguments";
    for (int i = 0; i < count; i++)
        if (!parse_oom(words[i], &n))
            return "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    return NULL;
}

static const char *
check_memory(struct slice word, const char *min)
{
    static char buf[96];
    uint64_t bytes;

    if (!num_parse_memory(word.ptr, word.len, &bytes))
        return "argument must be a memory value";
    if (bytes >= strtoull(min, NULL, 10) && bytes <= INT64_MAX)
        return NULL;
    snprintf(buf, sizeof buf, "argument must be between %s and %lld inclusive",
             *min != '\0' ? min : "0", (long long)INT64_MAX);
    return buf;
}

static const char *
check_hostname(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!isalnum((unsigned char)word.ptr[i]) && word.ptr[i] != '-' && word.ptr[i] != '.')
            return "Hostnames may only contain alphanumeric characters, hyphens or dots";
    return word.len < 256 ? NULL : "Hostnames must be less than 256 characters";
}

/* A title's variables stand in braces. */
static const char *
check_title(struct slice word)
{
    static const char names[] =
        "title listen-addr server-mode port tls-port unixsocket config-file";
    const char *p = word.ptr, *end = p + word.len;

    while ((p = memchr(p, '{', (size_t)(end - p))) != NULL) {
        const char *close = memchr(p, '}', (size_t)(end - p));
        if (close == NULL || !is_one_of((struct slice){p + 1, (size_t)(close - p) - 1}, names))
            return "template format is invalid or contains unknown variables";
        p = close;
    }
    return NULL;
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

/* In cron's form, word by word or in one. */
static const char *
check_schedule(const struct slice *words, int count)
{
    static char buf[256];
    struct text whole = {0};
    struct cron_form form;
    bool ok;

    for (int i = 0; i < count; i++) {
        text_add(&whole, i > 0 ? " " : "");
        text_add_bytes(&whole, words[i].ptr, words[i].len);
    }
    snprintf(buf, sizeof buf, "%s", strerror(ENOMEM));
    ok = !whole.failed &&
         (whole.len == 0 || cron_form_parse((struct slice){.ptr = whole.at, .len = whole.len},
                                            &form, buf, sizeof buf));
    text_free(&whole);
    return ok ? NULL : buf;
}

/* NULL: the words are good; else what is wrong. */
static const char *
check(const char *how, const struct slice *words, int count)
{
    if (strcmp(how, "bytes") == 0)
        return NULL;
    if (strncmp(how, "flags ", 6) == 0)
        return check_flags(words, count, how + 6);
    if (strcmp(how, "percentiles") == 0)
        return check_percentiles(words, count);
    if (strcmp(how, "oom") == 0)
        return check_oom(words, count);
    if (strcmp(how, "schedule") == 0)
        return check_schedule(words, count);
    if (memchr(words[0].ptr, '\0', words[0].len) != NULL)
        return "argument holds a zero byte";
    if (strcmp(how, "bool") == 0)
        return is_one_of(words[0], "yes no") ? NULL : "argument must be 'yes' or 'no'";
    if (strncmp(how, "int ", 4) == 0)
        return check_int(words[0], how + 4);
    if (strncmp(how, "memory", 6) == 0)
        return check_memory(words[0], how + 6 + strspn(how + 6, " "));
    if (strncmp(how, "enum ", 5) == 0)
        return is_one_of(words[0], how + 5) ? NULL : refuse_list(how + 5);
    if (strcmp(how, "hostname") == 0)
        return check_hostname(words[0]);
    if (strcmp(how, "title") == 0)
        return check_title(words[0]);
    return NULL;
}

/* ---- the one spelling ---- */

static void
add_lower(struct text *t, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
        text_add_bytes(t, &c, 1);
    }
}

/* Six digits behind the point at most, no zeros at the end. */
static void
add_percentile(struct text *t, struct slice word)
{
    char buf[64];
    double n = 0;
    size_t len;

    if (!parse_double(word, &n))
        return; /* an empty word */
    len = (size_t)snprintf(buf, sizeof buf, "%f", n);
    while (buf[len - 1] == '0')
        len--;
    text_add_bytes(t, buf, buf[len - 1] == '.' ? len - 1 : len);
}

static void
add_word(struct text *t, const char *how, struct slice word)
{
    uint64_t bytes = 0;
    const char *name;
    long n = 0;

    if (strncmp(how, "memory", 6) == 0 && num_parse_memory(word.ptr, word.len, &bytes))
        text_addf(t, "%llu", (unsigned long long)bytes);
    else if (strcmp(how, "percentiles") == 0)
        add_percentile(t, word);
    else if (strcmp(how, "oom") == 0 && parse_oom(word, &n))
        text_add_int(t, n);
    else if (strcmp(how, "bool") == 0)
        add_lower(t, word.ptr, word.len);
    else if (strncmp(how, "enum ", 5) == 0 && (name = find_name(word, how + 5)) != NULL)
        add_lower(t, name[word.len] == '>' ? name + word.len + 1 : name,
                  strcspn(name[word.len] == '>' ? name + word.len + 1 : name, " "));
    else
        text_add_bytes(t, word.ptr, word.len);
}

/* Those that are given, in the order of the list; its first one where there is none. */
static void
add_flags(struct text *t, const char *names, const struct slice *words, int count)
{
    const char *first = names;

    for (const char *p = names + strcspn(names, " "); *p != '\0';) {
        char name[32];
        p += strspn(p, " ");
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, " "), p);
        if (is_given(name, words, count))
            text_addf(t, "%s%s", t->len > 0 ? " " : "", name);
        p += strcspn(p, " ");
    }
    if (t->len == 0)
        text_add_bytes(t, first, strcspn(first, " "));
}

static struct config_bytes *
field_of(const struct option *o, struct config *c)
{
    return (struct config_bytes *)(void *)((char *)c + o->offset);
}

static bool
parse_checked(const struct option *o, struct config *into, const struct slice *words, int count,
              bool append, const char **why)
{
    const char *how = o->extra;
    struct text t = {0};

    (void)append;
    if ((*why = check(how, words, count)) != NULL)
        return false;
    if (strncmp(how, "flags ", 6) == 0)
        add_flags(&t, how + 6, words, count);
    for (int i = 0; i < count && strncmp(how, "flags ", 6) != 0; i++) {
        text_add(&t, i > 0 ? " " : "");
        add_word(&t, how, words[i]);
    }
    if (t.failed || (t.at == NULL && (t.at = strdup("")) == NULL)) {
        text_free(&t);
        *why = strerror(ENOMEM);
        return false;
    }
    free(field_of(o, into)->at);
    *field_of(o, into) = (struct config_bytes){t.at, t.len};
    return true;
}

static void
show_checked(const struct option *o, const struct config *from, struct text *out)
{
    const struct config_bytes *b = (const void *)((const char *)from + o->offset);

    if (b->at != NULL)
        text_add_bytes(out, b->at, b->len);
}

static bool
copy_checked(const struct option *o, struct config *copy)
{
    struct config_bytes *b = field_of(o, copy);
    char *at;

    if (b->at == NULL)
        return true;
    if ((at = malloc(b->len + 1)) != NULL)
        memcpy(at, b->at, b->len + 1);
    b->at = at;
    return at != NULL;
}

static void
drop_checked(const struct option *o, struct config *from)
{
    free(field_of(o, from)->at);
    *field_of(o, from) = (struct config_bytes){NULL, 0};
}

const struct option_type option_checked = {
    .parse = parse_checked, .show = show_checked, .copy = copy_checked, .drop = drop_checked};
