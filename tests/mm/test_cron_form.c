/* tests/mm/test_cron_form.c - cron's forms: the next moment, whatever the clocks do, and what a
 * wrong one is told. */
#include "mm/base/cron_form.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/runner.h"

static struct slice
text(const char *s)
{
    return (struct slice){.ptr = s, .len = strlen(s)};
}

static struct cron_form
parsed(const char *form)
{
    struct cron_form f;
    char why[160] = "";

    ck_assert_msg(cron_form_parse(text(form), &f, why, sizeof why), "%s: %s", form, why);
    return f;
}

static void
use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

/* moment: a time of the clock on the wall, before the clocks were set back if it comes twice. */
static int64_t
moment(const char *wall)
{
    struct tm tm = {.tm_isdst = -1};

    ck_assert_int_eq(sscanf(wall, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                            &tm.tm_hour, &tm.tm_min, &tm.tm_sec),
                     6);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)mktime(&tm);
}

static const char *
wall(int64_t s)
{
    static char buf[40];
    time_t t = (time_t)s;
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm);
    return buf;
}

/* 2026-11-29 is a Sunday. */
static const struct {
    const char *form, *after, *next;
} table[] = {
    {"* * * * *", "2026-11-29 10:15:00", "2026-11-29 10:16:00"},
    {"* * * * *", "2026-11-29 10:15:59", "2026-11-29 10:16:00"},
    {"15 * * * *", "2026-11-29 10:14:59", "2026-11-29 10:15:00"},
    {"15 * * * *", "2026-11-29 10:15:00", "2026-11-29 11:15:00"},
    {"*/15 * * * *", "2026-11-29 10:46:00", "2026-11-29 11:00:00"},
    {"5-59/20 * * * *", "2026-11-29 10:25:00", "2026-11-29 10:45:00"},
    {"05 09 * * *", "2026-11-29 10:00:00", "2026-11-30 09:05:00"},
    {"0,30 8-17 * * mon-fri", "2026-11-27 17:30:00", "2026-11-30 08:00:00"},
    {"0 0 1 * *", "2026-11-29 10:00:00", "2026-12-01 00:00:00"},
    {"0 0 31 * *", "2026-11-29 10:00:00", "2026-12-31 00:00:00"},
    {"0 0 31 4,6,jul * ", "2026-08-01 00:00:00", "2027-07-31 00:00:00"},
    {"0 12 * JAN Mon", "2026-11-29 10:00:00", "2027-01-04 12:00:00"},
    {"0 0 29 2 *", "2026-11-29 10:00:00", "2028-02-29 00:00:00"},
    {"0 0 29 2 *", "2096-02-29 00:00:00", "2104-02-29 00:00:00"},
    {"0 0 * * 7", "2026-11-28 10:00:00", "2026-11-29 00:00:00"},
    {"0 0 * * 0", "2026-11-29 00:00:00", "2026-12-06 00:00:00"},
    {"0 0 * * fri-sun", "2026-11-29 00:00:00", "2026-12-04 00:00:00"},
    {"0 0 * * sun-tue", "2026-12-01 00:00:00", "2026-12-06 00:00:00"},
    /* one of the two days is enough */
    {"0 0 13 * fri", "2026-11-29 00:00:00", "2026-12-04 00:00:00"},
    {"0 0 13 * fri", "2026-12-11 00:00:00", "2026-12-13 00:00:00"},
    {"0 0 30 2 mon", "2026-12-01 00:00:00", "2027-02-01 00:00:00"},
    /* both, where one begins with a star */
    {"0 0 */2 * mon", "2026-11-29 00:00:00", "2026-12-07 00:00:00"},
    {"@hourly", "2026-11-29 10:15:00", "2026-11-29 11:00:00"},
    {"@daily", "2026-12-31 10:15:00", "2027-01-01 00:00:00"},
    {"@MIDNIGHT", "2026-11-29 10:15:00", "2026-11-30 00:00:00"},
    {"@weekly", "2026-11-30 10:15:00", "2026-12-06 00:00:00"},
    {"@monthly", "2026-11-30 10:15:00", "2026-12-01 00:00:00"},
    {"@yearly", "2026-11-30 10:15:00", "2027-01-01 00:00:00"},
    {" @annually\t", "2026-11-30 10:15:00", "2027-01-01 00:00:00"},
};

START_TEST(the_next_moment_is_the_first_that_fits)
{
    static const char *const zones[] = {"UTC0", "IST-5:30"};

    for (size_t z = 0; z < 2; z++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            struct cron_form f = parsed(table[i].form);
            int64_t next;

            use_zone(zones[z]);
            next = cron_form_next(&f, moment(table[i].after));
            ck_assert_msg(next == moment(table[i].next), "%s after %s: %s", table[i].form,
                          table[i].after, wall(next));
        }
}
END_TEST

/* The times of a year, one by one, as a plain look at each minute finds them. */
START_TEST(a_walk_meets_every_minute_that_fits_and_no_other)
{
    static const char *const forms[] = {"7-9 */5 */9 * *", "59 23 * 2,3 sat", "0 0 1,15 * 3"};

    use_zone("UTC0");
    for (size_t i = 0; i < 3; i++) {
        struct cron_form f = parsed(forms[i]);
        int64_t begin = moment("2027-01-01 00:00:00"), next = cron_form_next(&f, begin - 1);
        int met = 0;

        for (int64_t s = begin; s < begin + 366 * 86400; s += 60) {
            time_t t = (time_t)s;
            struct tm tm;
            bool day, weekday, fit;

            gmtime_r(&t, &tm);
            day = (f.days >> tm.tm_mday & 1) != 0;
            weekday = (f.weekdays >> tm.tm_wday & 1) != 0;
            fit = (f.minutes >> tm.tm_min & 1) != 0 && (f.hours >> tm.tm_hour & 1) != 0 &&
                  (f.months >> (tm.tm_mon + 1) & 1) != 0 &&
                  (f.any_day || f.any_weekday ? day && weekday : day || weekday);
            ck_assert_msg(fit == (s == next), "%s at %s", forms[i], wall(s));
            if (fit) {
                next = cron_form_next(&f, s);
                met++;
            }
        }
        ck_assert_int_ge(met, 8);
    }
}
END_TEST

/* As rules, since not every machine has the zones' files. */
#define BERLIN    "CET-1CEST,M3.5.0,M10.5.0/3"
#define SANTIAGO  "<-04>4<-03>,M9.1.6/24,M4.1.6/24"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"

/* Berlin: 2027-03-28 02:00 becomes 03:00; 2027-10-31 03:00 becomes 02:00.  Santiago sets its clocks
 * forward at midnight, Lord Howe by half an hour. */
static const struct {
    const char *zone, *form, *after;
    const char *next[4]; /* then, one after the other, as seconds after the first */
} changes[] = {
    {BERLIN, "30 2 * * *", "2027-03-27 12:00:00", {"2027-03-28 03:00:00", "84600"}},
    {BERLIN, "*/20 2 * * *", "2027-03-28 01:59:00", {"2027-03-28 03:00:00", "82800"}},
    {BERLIN, "0 3 * * *", "2027-03-27 12:00:00", {"2027-03-28 03:00:00", "86400"}},
    {BERLIN, "30 * * * *", "2027-03-28 00:45:00", {"2027-03-28 01:30:00", "3600"}},
    {BERLIN, "30 2 * * *", "2027-10-30 12:00:00", {"2027-10-31 02:30:00", "90000"}},
    {BERLIN, "0 3 * * *", "2027-10-30 12:00:00", {"2027-10-31 03:00:00", "86400"}},
    {BERLIN, "30 * * * *", "2027-10-31 02:10:00", {"2027-10-31 02:30:00", "3600", "3600"}},
    {BERLIN, "30 1,2 * * *", "2027-10-31 00:00:00", {"2027-10-31 01:30:00", "3600", "86400"}},
    {SANTIAGO, "30 0 * * *", "2026-09-05 12:00:00", {"2026-09-06 01:00:00", "84600"}},
    {SANTIAGO, "@daily", "2026-09-05 12:00:00", {"2026-09-06 01:00:00", "82800"}},
    {SANTIAGO, "0 12 6 9 *", "2026-09-05 12:00:00", {"2026-09-06 12:00:00"}},
    {SANTIAGO, "0 12 6 9 *", "2026-09-05 23:30:00", {"2026-09-06 12:00:00"}},
    {SANTIAGO, "30 0 7 9 *", "2026-09-05 23:30:00", {"2026-09-07 00:30:00"}},
    {LORD_HOWE, "15 2 * * *", "2026-10-03 12:00:00", {"2026-10-04 02:30:00", "85500"}},
    {LORD_HOWE, "45 1 * * *", "2027-04-03 12:00:00", {"2027-04-04 01:45:00", "88200"}},
};

START_TEST(what_the_clocks_leave_out_is_due_at_once_and_what_comes_twice_is_due_once)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct cron_form f = parsed(changes[i].form);
        int64_t s;

        use_zone(changes[i].zone);
        s = cron_form_next(&f, moment(changes[i].after));
        ck_assert_msg(s == moment(changes[i].next[0]), "%s, %s: %s", changes[i].zone,
                      changes[i].form, wall(s));
        for (int j = 1; j < 4 && changes[i].next[j] != NULL; j++) {
            int64_t next = cron_form_next(&f, s);

            ck_assert_msg(next - s == atoll(changes[i].next[j]), "%s, %s: then %s", changes[i].zone,
                          changes[i].form, wall(next));
            s = next;
        }
    }
}
END_TEST

static const struct {
    const char *form, *why;
} wrong[] = {
    {"", "five fields are needed: minute, hour, day of the month, month, day of the week"},
    {"* * * *", "five fields are needed: minute, hour, day of the month, month, day of the week"},
    {"* * * * * *",
     "five fields are needed: minute, hour, day of the month, month, day of the week"},
    {"60 * * * *", "field 1 (minute): '60' is not between 0 and 59"},
    {"* 24 * * *", "field 2 (hour): '24' is not between 0 and 23"},
    {"* * 0 * *", "field 3 (day of the month): '0' is not between 1 and 31"},
    {"* * * 13 *", "field 4 (month): '13' is not between 1 and 12"},
    {"* * * * 8", "field 5 (day of the week): '8' is not between 0 and 7"},
    {"99999999999999999999 * * * *",
     "field 1 (minute): '99999999999999999999' is not between 0 and 59"},
    {"x * * * *", "field 1 (minute): 'x' is no number"},
    {"mon * * * *", "field 1 (minute): 'mon' is no number"},
    {"* * * janu *", "field 4 (month): 'janu' is neither a number nor a name"},
    {"* * * sun *", "field 4 (month): 'sun' is neither a number nor a name"},
    {"-1 * * * *", "field 1 (minute): '' is no number"},
    {"5- * * * *", "field 1 (minute): '' is no number"},
    {"10-5 * * * *", "field 1 (minute): '10-5' runs backwards"},
    {"* * * * sat-fri", "field 5 (day of the week): 'sat-fri' runs backwards"},
    {"5/10 * * * *", "field 1 (minute): '5/10' has a step but no range"},
    {"*/0 * * * *",
     "field 1 (minute): '*/0' has a step that is no number from 1 to the field's largest"},
    {"*/ * * * *",
     "field 1 (minute): '*/' has a step that is no number from 1 to the field's largest"},
    {"*/60 * * * *",
     "field 1 (minute): '*/60' has a step that is no number from 1 to the field's largest"},
    {"1,,2 * * * *", "field 1 (minute): '1,,2' has nothing before or behind a comma"},
    {"1, * * * *", "field 1 (minute): '1,' has nothing before or behind a comma"},
    {"** * * * *", "field 1 (minute): '**' is no number"},
    {"0 0 30 feb *", "no year has such a day: fields 3 (day of the month) and 4 (month)"},
    {"0 0 31 2,4,6 *", "no year has such a day: fields 3 (day of the month) and 4 (month)"},
    {"daily", "five fields are needed: minute, hour, day of the month, month, day of the week"},
    {"1234567890123456789012345678901234567890x * * * *",
     "field 1 (minute): '1234567890123456789012345678901234567890' is no number"},
    {"@34567890123456789012345678901234567890123",
     "'@345678901234567890123456789012345678901' is none of @hourly, @daily, @midnight, @weekly, "
     "@monthly, @yearly, @annually"},
    {"@reboot",
     "'@reboot' is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"},
};

START_TEST(a_wrong_form_is_told_its_field)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct cron_form f;
        char why[160] = "";

        ck_assert_msg(!cron_form_parse(text(wrong[i].form), &f, why, sizeof why), "%s",
                      wrong[i].form);
        ck_assert_str_eq(why, wrong[i].why);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/cron_form");
    TCase *t = tcase_create("cron_form");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, the_next_moment_is_the_first_that_fits);
    tcase_add_test(t, a_walk_meets_every_minute_that_fits_and_no_other);
    tcase_add_test(t, what_the_clocks_leave_out_is_due_at_once_and_what_comes_twice_is_due_once);
    tcase_add_test(t, a_wrong_form_is_told_its_field);
    suite_add_tcase(s, t);
    return run_suite(s);
}
