/* server/config/config_types.c - the types of parameters: from words to a value and back.  Those
 * with a form of their own: config_forms.c. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "server/config/config_impl.h"

/* A text for one refusal, until the next one. */
static const char *
refusal(const char *format, long long a, long long b)
{
    static char buf[128];

    snprintf(buf, sizeof buf, format, a, b);
    return buf;
}

const char *
config_too_long(const char *what, size_t most_bytes)
{
    static char buf[96];

    snprintf(buf, sizeof buf, "the %s is too long: at most %zu bytes", what, most_bytes);
    return buf;
}

/* ---- yes and no ---- */

static bool
parse_bool(const struct option *o, struct config *into, const struct slice *words, int count,
           bool append, const char **why)
{
    (void)count;
    (void)append;
    if (!slice_is_word(words[0], "yes") && !slice_is_word(words[0], "no")) {
        *why = "argument must be 'yes' or 'no'";
        return false;
    }
    *OPTION_FIELD(bool, o, into) = slice_is_word(words[0], "yes");
    return true;
}

static void
show_bool(const struct option *o, const struct config *from, struct text *out)
{
    text_add(out, *(const bool *)((const char *)from + o->offset) ? "yes" : "no");
}

const struct option_type option_bool = {.parse = parse_bool, .show = show_bool};

/* ---- numbers ---- */

static bool
in_range(const struct option *o, bool fits, int64_t v, const char **why)
{
    debug_check(o->min <= o->max);
    if (fits && v >= o->min && v <= o->max)
        return true;
    *why = refusal("argument must be between %lld and %lld inclusive", o->min, o->max);
    return false;
}

static bool
parse_int(const struct option *o, struct config *into, const struct slice *words, int count,
          bool append, const char **why)
{
    int64_t v;

    (void)count;
    (void)append;
    if (!num_parse(words[0].ptr, words[0].len, &v)) {
        *why = "argument couldn't be parsed into an integer";
        return false;
    }
    if (!in_range(o, true, v, why))
        return false;
    *OPTION_FIELD(int64_t, o, into) = v;
    return true;
}

/* Out of range is taken for the nearest value that is allowed. */
static bool
parse_clipped(const struct option *o, struct config *into, const struct slice *words, int count,
              bool append, const char **why)
{
    struct option any = *o;
    int64_t *field = OPTION_FIELD(int64_t, o, into);

    any.min = 0;
    any.max = INT32_MAX;
    if (!parse_int(&any, into, words, count, append, why))
        return false;
    *field = *field < o->min ? o->min : *field > o->max ? o->max : *field;
    return true;
}

static bool
parse_memory(const struct option *o, struct config *into, const struct slice *words, int count,
             bool append, const char **why)
{
    uint64_t v;

    (void)count;
    (void)append;
    if (!num_parse_memory(words[0].ptr, words[0].len, &v)) {
        *why = "argument must be a memory value";
        return false;
    }
    if (!in_range(o, v <= INT64_MAX, (int64_t)v, why))
        return false;
    *OPTION_FIELD(uint64_t, o, into) = v;
    return true;
}

static void
show_int(const struct option *o, const struct config *from, struct text *out)
{
    text_add_int(out, *(const int64_t *)(const void *)((const char *)from + o->offset));
}

/* A share, "5%", is kept as a number below zero. */
static bool
parse_memory_or_percent(const struct option *o, struct config *into, const struct slice *words,
                        int count, bool append, const char **why)
{
    static char most[96];
    int64_t percent;

    if (words[0].len == 0 || words[0].ptr[words[0].len - 1] != '%') {
        struct option bytes = *o;

        bytes.min = 0;
        if (parse_memory(&bytes, into, words, count, append, why))
            return true;
        if (strcmp(*why, "argument must be a memory value") == 0)
            *why = "argument must be a memory or percent value";
        return false;
    }
    if (!num_parse(words[0].ptr, words[0].len - 1, &percent) || percent < 0) {
        *why = "argument must be a memory or percent value";
        return false;
    }
    if (-percent < o->min) {
        snprintf(most, sizeof most, "percentage argument must be less or equal to %lld",
                 (long long)-o->min);
        *why = most;
        return false;
    }
    *OPTION_FIELD(int64_t, o, into) = -percent;
    return true;
}

static void
show_memory_or_percent(const struct option *o, const struct config *from, struct text *out)
{
    int64_t v = *(const int64_t *)(const void *)((const char *)from + o->offset);

    text_add_int(out, v < 0 ? -v : v);
    if (v < 0)
        text_add(out, "%");
}

const struct option_type option_int = {.parse = parse_int, .show = show_int};
const struct option_type option_clipped = {.parse = parse_clipped, .show = show_int};
const struct option_type option_memory = {.parse = parse_memory, .show = show_int};
const struct option_type option_memory_or_percent = {.parse = parse_memory_or_percent,
                                                     .show = show_memory_or_percent};

/* ---- one of several names ---- */

static bool
parse_enum(const struct option *o, struct config *into, const struct slice *words, int count,
           bool append, const char **why)
{
    static char buf[256];
    const struct config_name *names = o->extra;
    int n;

    (void)count;
    (void)append;
    for (int i = 0; names[i].name != NULL; i++)
        if (slice_is_word(words[0], names[i].name)) {
            *OPTION_FIELD(int64_t, o, into) = names[i].value;
            return true;
        }
    n = snprintf(buf, sizeof buf, "argument(s) must be one of the following: ");
    for (int i = 0; names[i].name != NULL; i++)
        n += snprintf(buf + n, sizeof buf - (size_t)n, "%s%s", i > 0 ? ", " : "", names[i].name);
    *why = buf;
    return false;
}

static void
show_enum(const struct option *o, const struct config *from, struct text *out)
{
    int64_t v = *(const int64_t *)(const void *)((const char *)from + o->offset);

    for (const struct config_name *n = o->extra; n->name != NULL; n++)
        if (n->value == v)
            text_add(out, n->name);
}

const struct option_type option_enum = {.parse = parse_enum, .show = show_enum};

/* ---- text ---- */

static bool
set_text(const struct option *o, struct config *into, const char *bytes, size_t len,
         const char **why)
{
    char **field = OPTION_FIELD(char *, o, into), *copy;

    if (memchr(bytes, '\0', len) != NULL) {
        *why = "argument holds a zero byte";
        return false;
    }
    if ((copy = strndup(bytes, len)) == NULL) {
        *why = strerror(ENOMEM);
        return false;
    }
    free(*field);
    *field = copy;
    return true;
}

static bool
parse_text(const struct option *o, struct config *into, const struct slice *words, int count,
           bool append, const char **why)
{
    (void)count;
    (void)append;
    if (o->max > 0 && words[0].len > (uint64_t)o->max) {
        *why = config_too_long("name", (size_t)o->max);
        return false;
    }
    return set_text(o, into, words[0].ptr, words[0].len, why);
}

static bool
parse_filename(const struct option *o, struct config *into, const struct slice *words, int count,
               bool append, const char **why)
{
    if (memchr(words[0].ptr, '/', words[0].len) != NULL || slice_is_word(words[0], ".") ||
        slice_is_word(words[0], "..")) {
        *why = "dbfilename can't be a path, just a filename";
        return false;
    }
    if (words[0].len == 0) {
        *why = "dbfilename can't be empty";
        return false;
    }
    return parse_text(o, into, words, count, append, why);
}

static void
show_text(const struct option *o, const struct config *from, struct text *out)
{
    const char *s = *(char *const *)(const void *)((const char *)from + o->offset);

    text_add(out, s != NULL ? s : "");
}

static bool
copy_text(const struct option *o, struct config *copy)
{
    char **field = OPTION_FIELD(char *, o, copy);

    return *field == NULL || (*field = strdup(*field)) != NULL;
}

static void
drop_text(const struct option *o, struct config *from)
{
    free(*OPTION_FIELD(char *, o, from));
    *OPTION_FIELD(char *, o, from) = NULL;
}

const struct option_type option_text = {
    .parse = parse_text, .show = show_text, .copy = copy_text, .drop = drop_text};
const struct option_type option_filename = {
    .parse = parse_filename, .show = show_text, .copy = copy_text, .drop = drop_text};

/* A word that is still one, and the same, after it was joined with others and split again. */
static bool
is_plain_word(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if ((unsigned char)word.ptr[i] <= ' ' || word.ptr[i] == '"' || word.ptr[i] == '\'')
            return false;
    return word.len > 0;
}

/* Several words, kept as one text. */
static bool
parse_words(const struct option *o, struct config *into, const struct slice *words, int count,
            bool append, const char **why)
{
    struct text t = {0};
    bool ok;

    (void)append;
    if (count > o->max) {
        *why = "Too many bind addresses specified.";
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (!is_plain_word(words[i])) {
            text_free(&t);
            *why = "Invalid bind address";
            return false;
        }
        text_add(&t, i > 0 ? " " : "");
        text_add_bytes(&t, words[i].ptr, words[i].len);
    }
    if (t.failed)
        *why = strerror(ENOMEM);
    ok = !t.failed && set_text(o, into, text_str(&t), t.len, why);
    text_free(&t);
    return ok;
}

const struct option_type option_words = {
    .parse = parse_words, .show = show_text, .copy = copy_text, .drop = drop_text};

/* A directory is kept as an absolute path; "": where the process is now, which may have no name,
 * when that directory was removed. */
static bool
parse_directory(const struct option *o, struct config *into, const struct slice *words, int count,
                bool append, const char **why)
{
    char given[PATH_MAX], resolved[PATH_MAX];
    size_t len = words[0].len;

    (void)count;
    (void)append;
    if (len >= sizeof given) {
        *why = config_too_long("path", sizeof given - 1);
        return false;
    }
    if (memchr(words[0].ptr, '\0', len) != NULL) {
        *why = "argument holds a zero byte";
        return false;
    }
    memcpy(given, words[0].ptr, len);
    given[len] = '\0';
    if (realpath(len > 0 ? given : ".", resolved) == NULL) {
        if (len == 0)
            return set_text(o, into, ".", 1, why);
        *why = strerror(errno);
        return false;
    }
    return set_text(o, into, resolved, strlen(resolved), why);
}

const struct option_type option_directory = {
    .parse = parse_directory, .show = show_text, .copy = copy_text, .drop = drop_text};

/* ---- parameters of which only one value is accepted ---- */

static bool
parse_fixed(const struct option *o, struct config *into, const struct slice *words, int count,
            bool append, const char **why)
{
    (void)into;
    (void)append;
    if (count == 0 || (count == 1 && slice_is_word(words[0], o->initial)))
        return true;
    if (o->initial[0] == '\0' && count == 2 && slice_is_word(words[0], "no") &&
        slice_is_word(words[1], "one"))
        return true;
    *why = o->extra;
    return false;
}

static void
show_fixed(const struct option *o, const struct config *from, struct text *out)
{
    (void)from;
    text_add(out, o->initial);
}

const struct option_type option_fixed = {.parse = parse_fixed, .show = show_fixed};
