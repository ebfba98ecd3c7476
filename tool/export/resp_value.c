/* tool/export/resp_value.c - SET, RPUSH, SADD, HSET, ZADD. */
#include "mm/base/real.h"
#include "tool/export/resp_state.h"

static void
put_set_head(struct resp *x)
{
    resp_open_key(x);
    resp_command(&x->out, 3);
    resp_bulk(&x->out, SLICE("SET"));
    resp_bulk(&x->out, x->name);
}

static int
on_string(void *ctx, struct slice value)
{
    struct resp *x = ctx;

    if (x->way != RESP_COMMANDS)
        return 0;
    put_set_head(x);
    resp_bulk(&x->out, value);
    return 0;
}

/* A long string goes out as it comes; its last two bytes are of resp_value_finish(). */
static int
on_string_begin(void *ctx, uint64_t len)
{
    struct resp *x = ctx;

    if (x->way != RESP_COMMANDS)
        return 0;
    x->long_strings += len > RESP_BULK_BYTES;
    put_set_head(x);
    resp_bulk_head(&x->out, len);
    x->is_string_open = true;
    return 0;
}

static int
on_string_bytes(void *ctx, struct slice piece)
{
    struct resp *x = ctx;

    if (x->way == RESP_COMMANDS)
        tool_out_slice(&x->out, piece);
    return 0;
}

/* begin_elements: the first of the key comes. */
static void
begin_elements(struct resp *x, struct slice verb)
{
    struct slice words[] = {verb, x->name};

    if (x->is_there)
        return;
    resp_open_key(x);
    resp_batch_begin(&x->batch, words, 2);
}

static int
on_element(void *ctx, struct slice element)
{
    struct resp *x = ctx;

    if (x->way != RESP_COMMANDS)
        return 0;
    begin_elements(x, SLICE("RPUSH"));
    resp_batch_add(&x->batch, &element, 1);
    return 0;
}

static int
on_member(void *ctx, struct slice member)
{
    struct resp *x = ctx;

    if (x->way != RESP_COMMANDS)
        return 0;
    begin_elements(x, SLICE("SADD"));
    resp_batch_add(&x->batch, &member, 1);
    return 0;
}

static void
expire_field(struct resp *x, struct slice field, int64_t at_ms)
{
    char digits[NUM_MAX_BYTES];
    struct slice at = slice_of(digits, num_print(digits, at_ms < 1 ? 1 : at_ms));
    struct slice words[] = {SLICE("HPEXPIREAT"), x->name, at, SLICE("FIELDS"), SLICE("1"), field};

    if (resp_knows(x, SERVER_FIELDS))
        resp_batch_later(&x->batch, words, 6);
    else
        x->lost_expiries++;
}

static int
on_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    struct resp *x = ctx;
    struct slice pair[] = {field, value};

    if (x->way != RESP_COMMANDS)
        return 0;
    begin_elements(x, SLICE("HSET"));
    resp_batch_add(&x->batch, pair, 2);
    if (expire_at_ms != -1)
        expire_field(x, field, expire_at_ms);
    return 0;
}

static int
on_scored(void *ctx, struct slice member, double score)
{
    struct resp *x = ctx;
    char digits[REAL_BYTES];
    struct slice pair[] = {slice_of(digits, real_print(score, digits)), member};

    if (x->way != RESP_COMMANDS)
        return 0;
    begin_elements(x, SLICE("ZADD"));
    resp_batch_add(&x->batch, pair, 2);
    return 0;
}

void
resp_value_events(struct value_events *ev)
{
    ev->string = on_string;
    ev->string_begin = on_string_begin;
    ev->string_bytes = on_string_bytes;
    ev->element = on_element;
    ev->member = on_member;
    ev->field = on_field;
    ev->scored = on_scored;
}

void
resp_value_finish(struct resp *x)
{
    if (x->is_string_open)
        resp_bulk_end(&x->out);
    x->is_string_open = false;
    resp_batch_flush(&x->batch);
}
