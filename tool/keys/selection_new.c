/* tool/keys/selection_new.c - a selection from the options that were given, and what is wrong with
 * them. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/tool.h"
#include "tool/keys/selection_impl.h"

/* wrong: an option that is none of what it takes.  text: what was given, perhaps a part of it;
 * example: some that would do. */
static bool
wrong(const char *option, struct slice text, const char *what, const char *example)
{
    fprintf(stderr, "stillframe-rdb: --%s=%.*s: %s\nTry: %s\n", option, slice_shown(text), text.ptr,
            what, example);
    return false;
}

static struct slice
text_slice(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static void *
room_for(size_t count, size_t bytes)
{
    return tool_got(calloc(count > 0 ? count : 1, bytes));
}

/* next_word: the next of the words between commas; false: there is none. */
static bool
next_word(const char **text, struct slice *ret)
{
    size_t len;

    if (*text == NULL)
        return false;
    len = strcspn(*text, ",");
    *ret = (struct slice){*text, len};
    *text = (*text)[len] == ',' ? *text + len + 1 : NULL;
    return true;
}

/* ---- names ---- */

static void
take_globs(const struct tool_texts *texts, struct selection_globs *ret)
{
    ret->at = room_for(texts->count, sizeof *ret->at);
    for (; ret->count < texts->count; ret->count++)
        ret->at[ret->count] = text_slice(texts->at[ret->count]);
}

/* take_regexes: extended ones, on bytes; a dot is any byte, zero too. */
static bool
take_regexes(struct selection *s, const struct tool_texts *texts)
{
    enum { FASTMAP_BYTES = 256 };

    s->regex = room_for(texts->count, sizeof *s->regex);
    for (unsigned i = 0; i < texts->count; i++) {
        struct slice text = text_slice(texts->at[i]);
        const char *error;

        re_set_syntax((RE_SYNTAX_POSIX_EXTENDED | RE_NO_SUB) & ~(reg_syntax_t)RE_DOT_NOT_NULL);
        s->regex[i].fastmap = room_for(1, FASTMAP_BYTES);
        s->regex_count++;
        if ((error = re_compile_pattern(text.ptr, text.len, &s->regex[i])) != NULL)
            return wrong("regex", text, error, "--regex='^user:[0-9]+$'");
        s->regex[i].newline_anchor = 0; /* a name is one line, whatever is in it */
    }
    return true;
}

/* ---- words ---- */

static bool
take_word(const char *option, struct slice word, const char *const *names, unsigned count,
          const char *what, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++)
        if (slice_is_word(word, names[i])) {
            *ret |= 1U << i;
            return true;
        }
    return wrong(option, word, "there is no such word for it", what);
}

static bool
take_words(const char *option, const struct tool_texts *texts, const char *const *names,
           unsigned count, const char *what, unsigned *ret)
{
    struct slice word;

    for (unsigned i = 0; i < texts->count; i++)
        for (const char *at = texts->at[i]; next_word(&at, &word);)
            if (!take_word(option, word, names, count, what, ret))
                return false;
    return true;
}

static bool
take_types(struct selection *s, const struct tool_options *o)
{
    return take_words("type", &o->type, key_kind_names, RDB_VALUE_COUNT,
                      "string, list, set, zset, hash, stream", &s->kinds);
}

static bool
take_encodings(struct selection *s, const struct tool_options *o)
{
    return take_words("encoding", &o->encoding, key_encoding_names, KEY_ENCODINGS,
                      "int, embstr, raw, listpack, quicklist, intset, hashtable, skiplist, stream, "
                      "listpackex",
                      &s->encodings);
}

static bool
take_databases(struct selection *s, const struct tool_texts *texts)
{
    enum { DIGITS_MOST = 19 };
    struct slice word;

    for (unsigned i = 0; i < texts->count; i++)
        for (const char *at = texts->at[i]; next_word(&at, &word);) {
            char digits[DIGITS_MOST + 1];

            if (word.len == 0 || word.len > DIGITS_MOST ||
                strspn(word.ptr, "0123456789") < word.len)
                return wrong("db", word, "not the number of a database", "--db=0, --db=0,3");
            memcpy(digits, word.ptr, word.len);
            digits[word.len] = '\0';
            s->db = tool_got(realloc(s->db, (s->db_count + 1) * sizeof *s->db));
            s->db[s->db_count++] = strtoull(digits, NULL, 10);
        }
    return true;
}

/* ---- ranges ---- */

/* parse_seconds: "90", "1.5h", "2d"; *end: behind it. */
static bool
parse_seconds(const char *text, const char **ret_end, uint64_t *ret)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char *end;
    double v;

    if (!isdigit((unsigned char)*text))
        return false;
    v = strtod(text, &end);
    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (*end == units[i].unit) {
            v *= units[i].seconds;
            end++;
            break;
        }
    *ret_end = end;
    *ret = (uint64_t)v;
    return v < 0x1p63;
}

static bool
parse_time_range(const char *text, struct selection_range *ret)
{
    *ret = (struct selection_range){0, UINT64_MAX};
    if (*text != '-') {
        if (!parse_seconds(text, &text, &ret->from))
            return false;
        if (*text == '\0')
            ret->until = ret->from;
    } else if (text[1] == '\0') {
        return false;
    }
    if (*text == '\0')
        return true;
    if (*text++ != '-')
        return false;
    if (*text != '\0' && !parse_seconds(text, &text, &ret->until))
        return false;
    return *text == '\0' && ret->from <= ret->until;
}

static bool
take_ttl(struct selection *s, const char *text)
{
    static const struct {
        const char *word;
        enum selection_ttl kind;
    } words[] = {
        {"none", SELECTION_TTL_NONE}, {"any", SELECTION_TTL_ANY}, {"past", SELECTION_TTL_PAST}};

    if (text == NULL)
        return true;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].word) == 0) {
            s->ttl_kind = words[i].kind;
            return true;
        }
    s->ttl_kind = SELECTION_TTL_RANGE;
    return parse_time_range(text, &s->ttl) ||
           wrong("ttl", text_slice(text), "neither none, any, past nor a range of seconds",
                 "--ttl=none, --ttl=60-3600, --ttl=1d-");
}

static bool
take_idle(struct selection *s, const char *text)
{
    s->has_idle = text != NULL;
    return text == NULL || parse_time_range(text, &s->idle) ||
           wrong("idle", text_slice(text), "not a range of seconds",
                 "--idle=3600-, --idle=-10, --idle=1d-7d");
}

static bool
take_range(const char *option, const char *text, const char *what, const char *example,
           struct selection_range *ret, bool *ret_has)
{
    *ret_has = text != NULL;
    return text == NULL || tool_parse_range(text, &ret->from, &ret->until) ||
           wrong(option, text_slice(text), what, example);
}

static bool
take_ranges(struct selection *s, const struct tool_options *o)
{
    return take_range("size", o->size, "not a range of bytes", "--size=1mb-, --size=100-4k",
                      &s->size, &s->has_size) &&
           take_range("elements", o->elements, "not a range of numbers",
                      "--elements=1000-, --elements=1-10", &s->elements, &s->has_elements) &&
           take_range("freq", o->freq, "not a range of numbers", "--freq=10-, --freq=0-5", &s->freq,
                      &s->has_freq) &&
           take_ttl(s, o->ttl) && take_idle(s, o->idle);
}

static bool
take_sample(struct selection *s, const struct tool_options *o)
{
    char *end;
    double percent;

    s->share = 1;
    s->seed = o->seed;
    if (o->sample == NULL)
        return true;
    percent = strtod(o->sample, &end);
    if (*end == '%')
        end++;
    if (end == o->sample || *end != '\0' || !(percent > 0 && percent <= 100))
        return wrong("sample", text_slice(o->sample), "not a percentage above 0, up to 100",
                     "--sample=1, --sample=0.1");
    s->share = percent / 100;
    s->sampled_below = s->share < 1 ? (uint64_t)ldexp(s->share, 64) : UINT64_MAX;
    return true;
}

static bool
take_all(struct selection *s, const struct tool_options *o)
{
    take_globs(&o->match, &s->match);
    take_globs(&o->exclude, &s->exclude);
    s->limit = o->limit;
    if (!take_regexes(s, &o->regex) || !take_types(s, o) || !take_encodings(s, o) ||
        !take_databases(s, &o->db) || !take_ranges(s, o) || !take_sample(s, o))
        return false;
    s->is_all = s->match.count == 0 && s->exclude.count == 0 && s->regex_count == 0 &&
                s->kinds == 0 && s->db_count == 0 && s->ttl_kind == SELECTION_TTL_ALL &&
                !s->has_idle && !s->has_freq && s->share == 1;
    return true;
}

struct selection *
selection_new(const struct tool_options *o)
{
    struct selection *s = room_for(1, sizeof *s);

    if (take_all(s, o))
        return s;
    selection_free(s);
    return NULL;
}
