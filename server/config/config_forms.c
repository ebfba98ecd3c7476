/* server/config/config_forms.c - the types of parameters that have a form of their own: save
 * points, output limits, modes of files, classes of events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/num.h"
#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "server/config/config_impl.h"

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
    *OPTION_FIELD(int64_t, o, into) = mode;
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
    *OPTION_FIELD(int64_t, o, into) = classes;
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
