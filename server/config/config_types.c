/* server/config/config_types.c - the types of parameters: from words to a value and back. */
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

#define FIELD(type, o, c) ((type *)(void *)((char *)(c) + (o)->offset))

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
    *FIELD(bool, o, into) = slice_is_word(words[0], "yes");
    return true;
}

static void
show_bool(const struct option *o, const struct config *from, struct text *out)
{
    text_add(out, *(const bool *)((const char *)from + o->offset) ? "yes" : "no");
}

const struct option_type option_bool = {.parse = parse_bool, .show = show_bool};

static bool
parse_compression(const struct option *o, struct config *into, const struct slice *words, int count,
                  bool append, const char **why)
{
    if (slice_is_word(words[0], "lz4")) {
        *why = "compression of the whole file with LZ4 is not supported: use 'yes' (LZF) or 'no'";
        return false;
    }
    return parse_bool(o, into, words, count, append, why);
}

const struct option_type option_compression = {.parse = parse_compression, .show = show_bool};

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
    *FIELD(int64_t, o, into) = v;
    return true;
}

/* Out of range is taken for the nearest value that is allowed. */
static bool
parse_clipped(const struct option *o, struct config *into, const struct slice *words, int count,
              bool append, const char **why)
{
    struct option any = *o;
    int64_t *field = FIELD(int64_t, o, into);

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
    *FIELD(uint64_t, o, into) = v;
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
    *FIELD(int64_t, o, into) = -percent;
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
            *FIELD(int64_t, o, into) = names[i].value;
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
    char **field = FIELD(char *, o, into), *copy;

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
    char **field = FIELD(char *, o, copy);

    return *field == NULL || (*field = strdup(*field)) != NULL;
}

static void
drop_text(const struct option *o, struct config *from)
{
    free(*FIELD(char *, o, from));
    *FIELD(char *, o, from) = NULL;
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

/* A directory is kept as an absolute path; "": where the process is now. */
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
        *why = strerror(errno);
        return false;
    }
    return set_text(o, into, resolved, strlen(resolved), why);
}

const struct option_type option_directory = {
    .parse = parse_directory, .show = show_text, .copy = copy_text, .drop = drop_text};

/* ---- save points ---- */

static bool
parse_save(const struct option *o, struct config *into, const struct slice *words, int count,
           bool append, const char **why)
{
    int64_t old = append && count > 0 ? into->save_point_count : 0; /* save "" empties the list */
    struct save_point *points;

    (void)o;
    if (count % 2 != 0) {
        *why = "Invalid save parameters";
        return false;
    }
    if ((points = calloc((size_t)old + (size_t)count / 2 + 1, sizeof *points)) == NULL) {
        *why = strerror(ENOMEM);
        return false;
    }
    for (int i = 0; i < count; i += 2) {
        struct save_point *p = &points[old + i / 2];
        if (!num_parse(words[i].ptr, words[i].len, &p->seconds) || p->seconds < 1 ||
            !num_parse(words[i + 1].ptr, words[i + 1].len, &p->changes) || p->changes < 0) {
            free(points);
            *why = "Invalid save parameters";
            return false;
        }
    }
    if (old > 0)
        memcpy(points, into->save_points, (size_t)old * sizeof *points);
    free(into->save_points);
    into->save_points = points;
    into->save_point_count = old + count / 2;
    return true;
}

static void
show_save(const struct option *o, const struct config *from, struct text *out)
{
    (void)o;
    for (int64_t i = 0; i < from->save_point_count; i++)
        text_addf(out, "%s%lld %lld", i > 0 ? " " : "", (long long)from->save_points[i].seconds,
                  (long long)from->save_points[i].changes);
}

static bool
copy_save(const struct option *o, struct config *copy)
{
    size_t bytes = ((size_t)copy->save_point_count + 1) * sizeof *copy->save_points;
    struct save_point *points;

    (void)o;
    if (copy->save_points == NULL)
        return true;
    if ((points = malloc(bytes)) != NULL)
        memcpy(points, copy->save_points, bytes - sizeof *points);
    copy->save_points = points;
    return points != NULL;
}

static void
drop_save(const struct option *o, struct config *from)
{
    (void)o;
    free(from->save_points);
    from->save_points = NULL;
    from->save_point_count = 0;
}

const struct option_type option_save = {
    .parse = parse_save, .show = show_save, .copy = copy_save, .drop = drop_save};

/* ---- output limits ---- */

static int
find_class(struct slice word)
{
    static const char *const names[] = {"normal", "replica", "pubsub", "slave"};

    for (int i = 0; i < 4; i++)
        if (slice_is_word(word, names[i]))
            return i == 3 ? OUTPUT_REPLICA : i;
    return -1;
}

static bool
parse_limits(const struct option *o, struct config *into, const struct slice *words, int count,
             bool append, const char **why)
{
    struct output_limit limits[OUTPUT_CLASSES];

    (void)o;
    (void)append;
    memcpy(limits, into->output_limits, sizeof limits);
    if (count % 4 != 0) {
        *why = "Wrong number of arguments in buffer limit configuration.";
        return false;
    }
    for (int i = 0; i < count; i += 4) {
        int class = find_class(words[i]);
        struct output_limit *l;
        if (class < 0) {
            *why = "Invalid client class specified in buffer limit configuration.";
            return false;
        }
        l = &limits[class];
        if (!num_parse_memory(words[i + 1].ptr, words[i + 1].len, &l->hard_bytes) ||
            !num_parse_memory(words[i + 2].ptr, words[i + 2].len, &l->soft_bytes) ||
            !num_parse(words[i + 3].ptr, words[i + 3].len, &l->soft_seconds) ||
            l->soft_seconds < 0 || l->soft_seconds > INT32_MAX) {
            *why = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            return false;
        }
    }
    memcpy(into->output_limits, limits, sizeof limits);
    return true;
}

static void
show_limits(const struct option *o, const struct config *from, struct text *out)
{
    static const char *const names[OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

    (void)o;
    for (int i = 0; i < OUTPUT_CLASSES; i++)
        text_addf(out, "%s%s %llu %llu %lld", i > 0 ? " " : "", names[i],
                  (unsigned long long)from->output_limits[i].hard_bytes,
                  (unsigned long long)from->output_limits[i].soft_bytes,
                  (long long)from->output_limits[i].soft_seconds);
}

const struct option_type option_limits = {.parse = parse_limits, .show = show_limits};

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

/* ---- octal modes ---- */

static bool
parse_mode(const struct option *o, struct config *into, const struct slice *words, int count,
           bool append, const char **why)
{
    int64_t mode = 0;

    (void)count;
    (void)append;
    for (size_t i = 0; i < words[0].len; i++) {
        char digit = words[0].ptr[i];
        if (digit < '0' || digit > '7' || (mode = mode * 8 + (digit - '0')) > o->max) {
            *why = "argument must be an octal mode of at most 0777";
            return false;
        }
    }
    *FIELD(int64_t, o, into) = mode;
    return words[0].len > 0;
}

static void
show_mode(const struct option *o, const struct config *from, struct text *out)
{
    int64_t mode = *(const int64_t *)(const void *)((const char *)from + o->offset);

    text_addf(out, "%llo", (unsigned long long)mode);
}

const struct option_type option_mode = {.parse = parse_mode, .show = show_mode};

/* ---- classes of keyspace events, a letter each ---- */

static const char event_letters[] = "KEg$lshzxetmdn"; /* in the order of enum key_event_class */
static const char event_all[] = "g$lshzxetd";         /* what A stands for */

static bool
parse_events(const struct option *o, struct config *into, const struct slice *words, int count,
             bool append, const char **why)
{
    int64_t classes = 0;

    (void)count;
    (void)append;
    for (size_t i = 0; i < words[0].len; i++) {
        const char *at = words[0].ptr[i] != '\0' ? strchr(event_letters, words[0].ptr[i]) : NULL;
        if (at == NULL && words[0].ptr[i] != 'A') {
            *why = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
            return false;
        }
        if (at != NULL)
            classes |= 1LL << (at - event_letters);
        for (const char *p = event_all; at == NULL && *p != '\0'; p++)
            classes |= 1LL << (strchr(event_letters, *p) - event_letters);
    }
    *FIELD(int64_t, o, into) = classes;
    return true;
}

static void
show_events(const struct option *o, const struct config *from, struct text *out)
{
    int64_t classes = *(const int64_t *)(const void *)((const char *)from + o->offset), all = 0;

    for (const char *p = event_all; *p != '\0'; p++)
        all |= 1LL << (strchr(event_letters, *p) - event_letters);
    if ((classes & all) == all)
        text_add(out, "A");
    for (const char *p = "g$lshzxetdnKEm"; *p != '\0'; p++) {
        int64_t class = 1LL << (strchr(event_letters, *p) - event_letters);
        if ((classes & class) != 0 && !((classes & all) == all && (class & all) != 0))
            text_add_bytes(out, p, 1);
    }
}

const struct option_type option_events = {.parse = parse_events, .show = show_events};
