/* mm/base/cron_form.h - times as cron's users write them: minute, hour, day of the month, month and
 * day of the week, in local time; and the next moment that such a form names.
 *
 * A field is "*", or a list of numbers and ranges, each "*" or range perhaps with a step: 5
 * 1,15-20 0-59/10.  Months and days of the week have names too (jan, sun; sunday is 0 and 7).  One
 * word stands for a common form: @hourly, @daily or @midnight, @weekly, @monthly, @yearly or
 * @annually.
 * Day of the month and day of the week: where one of the two begins with "*", a day must fit both;
 * otherwise one of them is enough, as in cron.
 *
 * When the clocks change: a form whose hour is "*" follows the time that passes.  Any other names
 * times of the day: one that the clocks leave out is due in the moment of the change, one that
 * comes twice is due the first time.
 * Threads: [any]. */
#ifndef MM_BASE_CRON_FORM_H
#define MM_BASE_CRON_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

/* A bit for each value that fits. */
struct cron_form {
    uint64_t minutes;
    uint32_t hours, days;
    uint16_t months, weekdays; /* Sunday: bit 0 */
    bool any_hour;             /* the field begins with "*"; as do ... */
    bool any_day, any_weekday;
};

/* cron_form_parse: false: *why, cut to its size, says which field is wrong, and what in it.  A form
 * that no year has a day for (30 February) is refused. */
bool cron_form_parse(struct slice text, struct cron_form *ret, char *why, size_t why_bytes);

/* cron_form_next: the first moment after after_s, at a full minute, that the form names; both in
 * seconds of unix time.  O(days between): below a millisecond for a form that only leap years
 * have. */
int64_t cron_form_next(const struct cron_form *form, int64_t after_s);

#endif
