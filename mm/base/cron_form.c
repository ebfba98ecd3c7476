/* mm/base/cron_form.c - cron's forms: from words to bits, and a walk to the next moment that fits.
 * The contract is in cron_form.h. */
#include "mm/base/cron_form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "mm/base/must.h"

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field {
    const char *name;
    int min, max;
    const char *names; /* three letters each, from `min` on; NULL: there are none */
} fields[FIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of the month", 1, 31, NULL},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of the week", 0, 7, "sunmontuewedthufrisat"},
};

/* ---- from text ---- */

/* What goes wrong is told with its field. */
struct parser {
    int field;
    char *why;
    size_t why_bytes;
};

static bool
refuse(const struct parser *p, struct slice what, const char *problem)
{
    snprintf(p->why, p->why_bytes, "field %d (%s): '%.*s' %s", p->field + 1, fields[p->field].name,
             what.len < 40 ? (int)what.len : 40, what.ptr, problem);
    return false;
}

/* find_name: the number that a name of three letters stands for; -1: none. */
static int
find_name(const struct field *f, struct slice word)
{
    for (int i = 0; f->names != NULL && word.len == 3 && f->names[3 * i] != '\0'; i++)
        if (strncasecmp(f->names + (size_t)3 * (size_t)i, word.ptr, 3) == 0)
            return f->min + i;
    return -1;
}

/* digits: a number, with zeros before it if one likes ("05"); -1: it is none; a large one is
 * INT16_MAX. */
static int
digits(struct slice word)
{
    int n = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return -1;
        n = n * 10 + (word.ptr[i] - '0');
        n = n < INT16_MAX ? n : INT16_MAX;
    }
    return word.len > 0 ? n : -1;
}

static bool
parse_value(const struct parser *p, struct slice word, int *ret)
{
    const struct field *f = &fields[p->field];
    char range[64];

    if ((*ret = find_name(f, word)) >= 0)
        return true;
    if ((*ret = digits(word)) < 0)
        return refuse(p, word,
                      f->names != NULL ? "is neither a number nor a name" : "is no number");
    snprintf(range, sizeof range, "is not between %d and %d", f->min, f->max);
    return (*ret >= f->min && *ret <= f->max) || refuse(p, word, range);
}

/* cut: what stands before the first such character; *rest is what stands behind it.  False: there
 * is none. */
static bool
cut(struct slice whole, char at, struct slice *ret_head, struct slice *ret_rest)
{
    const char *p = whole.len > 0 ? memchr(whole.ptr, at, whole.len) : NULL;

    *ret_head = whole;
    *ret_rest = (struct slice){.ptr = "", .len = 0};
    if (p == NULL)
        return false;
    ret_head->len = (size_t)(p - whole.ptr);
    *ret_rest = (struct slice){.ptr = p + 1, .len = whole.len - ret_head->len - 1};
    return true;
}

/* parse_range: "*", "a-b" or "a"; false with a range also where it is none. */
static bool
parse_range(const struct parser *p, struct slice word, int *ret_from, int *ret_to, bool *ret_single)
{
    const struct field *f = &fields[p->field];
    struct slice first, last;

    *ret_single = false;
    if (word.len == 1 && word.ptr[0] == '*') {
        *ret_from = f->min;
        *ret_to = f->max;
        return true;
    }
    *ret_single = !cut(word, '-', &first, &last);
    if (!parse_value(p, first, ret_from))
        return false;
    *ret_to = *ret_from;
    if (*ret_single)
        return true;
    if (!parse_value(p, last, ret_to))
        return false;
    if (p->field == WEEKDAY && *ret_to == 0)
        *ret_to = 7; /* fri-sun */
    return *ret_from <= *ret_to || refuse(p, word, "runs backwards");
}

/* parse_item: one of a list, into *bits. */
static bool
parse_item(const struct parser *p, struct slice item, uint64_t *bits)
{
    struct slice range, step_word;
    int from, to, step = 1;
    bool has_step = cut(item, '/', &range, &step_word), is_single;

    if (!parse_range(p, range, &from, &to, &is_single))
        return false;
    if (has_step && is_single)
        return refuse(p, item, "has a step but no range");
    if (has_step && ((step = digits(step_word)) < 1 || step > fields[p->field].max))
        return refuse(p, item, "has a step that is no number from 1 to the field's largest");
    for (int i = from; i <= to; i += step)
        *bits |= 1ull << i;
    return true;
}

static bool
parse_field(const struct parser *p, struct slice field, uint64_t *ret)
{
    struct slice item, rest = field;
    bool more;

    *ret = 0;
    do {
        more = cut(rest, ',', &item, &rest);
        if (item.len == 0)
            return refuse(p, field, "has nothing before or behind a comma");
        if (!parse_item(p, item, ret))
            return false;
    } while (more);
    return true;
}

/* split: at blanks; the number of words, max at most. */
static int
split(struct slice text, struct slice *words, int max)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    int n = 0;

    while (n < max) {
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p == end)
            break;
        words[n].ptr = p;
        while (p < end && *p != ' ' && *p != '\t')
            p++;
        words[n].len = (size_t)(p - words[n].ptr);
        n++;
    }
    return n;
}

/* spell_out: what a word like @daily stands for; NULL: nothing. */
static const char *
spell_out(struct slice word)
{
    static const struct {
        const char *name, *form;
    } forms[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                 {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
                 {"@annually", "0 0 1 1 *"}};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (slice_is_word(word, forms[i].name))
            return forms[i].form;
    return NULL;
}

/* has_a_day: is there a year with a day that fits? */
static bool
has_a_day(const struct cron_form *f)
{
    static const int days_of[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (!f->any_day && !f->any_weekday)
        return true; /* every month has each day of the week */
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= days_of[month - 1]; day++)
            if ((f->months >> month & 1) != 0 && (f->days >> day & 1) != 0)
                return true;
    return false;
}

static struct cron_form
make_form(const struct slice *words, const uint64_t *bits)
{
    return (struct cron_form){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint16_t)bits[MONTH],
        .weekdays = (uint16_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
        .any_hour = words[HOUR].ptr[0] == '*',
        .any_day = words[DAY].ptr[0] == '*',
        .any_weekday = words[WEEKDAY].ptr[0] == '*',
    };
}

bool
cron_form_parse(struct slice text, struct cron_form *ret, char *why, size_t why_bytes)
{
    struct slice words[FIELDS + 1];
    int n = split(text, words, FIELDS + 1);
    uint64_t bits[FIELDS];
    struct cron_form form;

    if (n == 1 && words[0].ptr[0] == '@') {
        const char *spelt = spell_out(words[0]);

        if (spelt == NULL) {
            snprintf(why, why_bytes,
                     "'%.*s' is none of @hourly, @daily, @midnight, @weekly, "
                     "@monthly, @yearly, @annually",
                     words[0].len < 40 ? (int)words[0].len : 40, words[0].ptr);
            return false;
        }
        n = split((struct slice){.ptr = spelt, .len = strlen(spelt)}, words, FIELDS + 1);
    }
    if (n != FIELDS) {
        snprintf(why, why_bytes,
                 "five fields are needed: minute, hour, day of the month, month, day of the week");
        return false;
    }
    for (int i = 0; i < FIELDS; i++) {
        struct parser p = {.field = i, .why = why, .why_bytes = why_bytes};

        if (!parse_field(&p, words[i], &bits[i]))
            return false;
    }
    form = make_form(words, bits);
    if (!has_a_day(&form)) {
        snprintf(why, why_bytes, "no year has such a day: fields 3 (%s) and 4 (%s)",
                 fields[DAY].name, fields[MONTH].name);
        return false;
    }
    *ret = form;
    return true;
}

/* ---- the next moment ---- */

static struct tm
local(int64_t s)
{
    time_t t = (time_t)s;
    struct tm tm;

    localtime_r(&t, &tm);
    return tm;
}

static bool
day_fits(const struct cron_form *f, const struct tm *tm)
{
    bool day = (f->days >> tm->tm_mday & 1) != 0, weekday = (f->weekdays >> tm->tm_wday & 1) != 0;

    if ((f->months >> (tm->tm_mon + 1) & 1) == 0)
        return false;
    return f->any_day || f->any_weekday ? day && weekday : day || weekday;
}

static bool
fits(const struct cron_form *f, const struct tm *tm)
{
    return day_fits(f, tm) && (f->hours >> tm->tm_hour & 1) != 0 &&
           (f->minutes >> tm->tm_min & 1) != 0;
}

/* left_out_fits: in this moment the clocks are set forward, over a time that fits. */
static bool
left_out_fits(const struct cron_form *f, int64_t s, const struct tm *tm)
{
    struct tm before = local(s - 60);
    int64_t skipped_s = tm->tm_gmtoff - before.tm_gmtoff;

    /* As if the clocks went on as before. */
    for (int64_t at = s; at < s + skipped_s; at += 60) {
        time_t shown = (time_t)(at + before.tm_gmtoff);
        struct tm missing;

        if (gmtime_r(&shown, &missing) != NULL && fits(f, &missing))
            return true;
    }
    return false;
}

/* is_repeated: the clocks, set back, show what they have shown before. */
static bool
is_repeated(int64_t s, const struct tm *tm)
{
    enum { LONGEST_CHANGE_S = 3 * 3600 };
    struct tm before = local(s - LONGEST_CHANGE_S);
    int64_t back_s = before.tm_gmtoff - tm->tm_gmtoff;

    return back_s > 0 && local(s - back_s).tm_gmtoff == before.tm_gmtoff;
}

/* next_day: the first moment of the day behind tm's, or a little before it where that day has no
 * midnight; later than s. */
static int64_t
next_day(int64_t s, const struct tm *tm)
{
    struct tm day = {
        .tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday + 1, .tm_isdst = -1};
    int64_t next = (int64_t)mktime(&day);

    return next > s ? next : s + 60;
}

int64_t
cron_form_next(const struct cron_form *f, int64_t after_s)
{
    int64_t s = after_s - after_s % 60;

    must(has_a_day(f) && f->minutes != 0 && f->hours != 0);
    s += 60;
    for (;;) { /* ends: has_a_day() */
        struct tm tm = local(s);

        if (!f->any_hour && left_out_fits(f, s, &tm))
            return s;
        if (!day_fits(f, &tm))
            s = next_day(s, &tm);
        else if ((f->hours >> tm.tm_hour & 1) == 0)
            s += 60 * (60 - tm.tm_min);
        else if ((f->minutes >> tm.tm_min & 1) == 0 || (!f->any_hour && is_repeated(s, &tm)))
            s += 60;
        else
            return s;
    }
}
