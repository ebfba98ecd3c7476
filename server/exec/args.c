/* server/exec/args.c - see args.h. */
#include "server/exec/args.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "mm/base/clock.h"
#include "mm/base/num.h"
#include "mm/base/real.h"
#include "server/data/db/db.h"
#include "server/exec/cmd.h"
#include "server/net/reply.h"

void
arg_wrong_count(struct client *c)
{
    reply_errorf(c, "ERR wrong number of arguments for '%s' command", c->cmd->full_name);
}

/* ---- numbers ---- */

bool
arg_int(struct client *c, int i, int64_t *ret)
{
    debug_check(i >= 0 && i < c->argc);
    if (likely(num_parse(c->argv[i].ptr, c->argv[i].len, ret)))
        return true;
    reply_not_int(c);
    return false;
}

bool
arg_int32(struct client *c, int i, int32_t *ret)
{
    int64_t n;

    if (!arg_int(c, i, &n))
        return false;
    if (n < INT32_MIN || n > INT32_MAX) {
        reply_errorf(c, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                     INT32_MAX);
        return false;
    }
    *ret = (int32_t)n;
    return true;
}

bool
arg_int_from(struct client *c, int i, int64_t least, const char *error, int64_t *ret)
{
    debug_check(i >= 0 && i < c->argc);
    if (num_parse(c->argv[i].ptr, c->argv[i].len, ret) && *ret >= least)
        return true;
    reply_error(c, error);
    return false;
}

bool
arg_int_either_way(struct client *c, int i, int64_t *ret)
{
    if (!arg_int(c, i, ret))
        return false;
    if (*ret != INT64_MIN)
        return true;
    reply_errorf(c, "ERR value is out of range, value must between %lld and %lld",
                 (long long)-INT64_MAX, (long long)INT64_MAX);
    return false;
}

bool
arg_positive(struct client *c, int i, int64_t *ret)
{
    return arg_int_from(c, i, 0, "ERR value is out of range, must be positive", ret);
}

bool
arg_double(struct client *c, int i, const char *error, double *ret)
{
    debug_check(i >= 0 && i < c->argc);
    if (real_parse(c->argv[i].ptr, c->argv[i].len, ret))
        return true;
    reply_error(c, error != NULL ? error : "ERR value is not a valid float");
    return false;
}

bool
arg_db_number(struct client *c, int i, int *ret)
{
    int32_t n;

    if (!arg_int32(c, i, &n))
        return false;
    if (db_select(n) == NULL) {
        reply_error(c, "ERR DB index is out of range");
        return false;
    }
    *ret = n;
    return true;
}

/* ---- times ---- */

/* That many milliseconds from now; false: an error was replied. */
static bool
time_in(struct client *c, int64_t ms, int64_t *ret)
{
    if (ms < 0) {
        reply_error(c, "ERR timeout is negative");
        return false;
    }
    if (!__builtin_add_overflow(ms, clock_now.ms, ret))
        return true;
    reply_error(c, "ERR timeout is out of range");
    return false;
}

static bool
deadline_in(struct client *c, int64_t ms, int64_t *ret)
{
    if (ms != 0)
        return time_in(c, ms, ret);
    *ret = 0;
    return true;
}

bool
arg_timeout_ms(struct client *c, int i, int64_t *ret_ms)
{
    int64_t end_ms;

    return arg_int_from(c, i, INT64_MIN, "ERR timeout is not an integer or out of range", ret_ms) &&
           time_in(c, *ret_ms, &end_ms);
}

bool
arg_deadline_ms(struct client *c, int i, int64_t *ret_deadline_ms)
{
    int64_t ms;

    return arg_timeout_ms(c, i, &ms) && deadline_in(c, ms, ret_deadline_ms);
}

/* parse_seconds: the whole text is a number. */
static bool
parse_seconds(struct slice text, long double *ret)
{
    char copy[256], *end;

    if (text.len == 0 || text.len >= sizeof copy || strchr(" \t\n\v\f\r", text.ptr[0]) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    errno = 0;
    *ret = strtold(copy, &end);
    if (end != copy + text.len || isnan(*ret))
        return false;
    return errno != ERANGE || (!isinf(*ret) && fpclassify(*ret) != FP_ZERO);
}

bool
arg_deadline(struct client *c, int i, int64_t *ret_deadline_ms)
{
    long double ms;

    if (!parse_seconds(c->argv[i], &ms)) {
        reply_error(c, "ERR timeout is not a float or out of range");
        return false;
    }
    ms = ceill(ms * 1000);
    if (ms > (long double)INT64_MAX) {
        reply_error(c, "ERR timeout is out of range");
        return false;
    }
    return deadline_in(c, ms < 0 ? -1 : (int64_t)ms, ret_deadline_ms);
}

/* ---- several at once ---- */

bool
arg_numkeys(struct client *c, int i, int64_t *ret)
{
    return arg_int_from(c, i, 1, "ERR numkeys should be greater than 0", ret);
}

static bool
refuse_syntax(struct client *c)
{
    reply_syntax(c);
    return false;
}

bool
arg_mpop(struct client *c, int i, const char *const ends[2], struct arg_mpop *ret)
{
    int64_t keys;
    int end_at;

    if (!arg_numkeys(c, i, &keys))
        return false;
    if (keys >= c->argc - i - 1)
        return refuse_syntax(c);
    end_at = i + 1 + (int)keys;
    *ret = (struct arg_mpop){.first_key = i + 1,
                             .key_count = (int)keys,
                             .second_end = arg_is(c, end_at, ends[1]),
                             .count = 1};
    if (!ret->second_end && !arg_is(c, end_at, ends[0]))
        return refuse_syntax(c);
    if (c->argc == end_at + 1)
        return true;
    if (c->argc < end_at + 3 || !arg_is(c, end_at + 1, "count"))
        return refuse_syntax(c);
    if (!arg_int_from(c, end_at + 2, 1, "ERR count should be greater than 0", &ret->count))
        return false;
    debug_check(ret->key_count > 0 && ret->first_key + ret->key_count < c->argc);
    return c->argc == end_at + 3 || refuse_syntax(c); /* said twice, or something else */
}
