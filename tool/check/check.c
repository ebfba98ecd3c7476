/* tool/check/check.c - stillframe-rdb check: everything that a loader would refuse, and
 * duplicates. */
#include "tool/check/check.h"

#include <errno.h>
#include <string.h>

#include "tool/base/spill.h"
#include "tool/check/check_impl.h"

static const struct slice no_name = {NULL, 0};

/* ---- events ---- */

static int
on_start(void *ctx, int version)
{
    struct check *c = ctx;

    c->version = version;
    loads_form(&c->loads, tool_input_form(c->in));
    loads_version(&c->loads, version);
    return 0;
}

/* twice: what an add has said, as an event's result. */
static int
twice(struct check *c, int said, const char *what, struct slice name)
{
    if (likely(said == TWICE_NOT))
        return 0;
    if (said == TWICE_FOUND) {
        snprintf(c->run.error.text, sizeof c->run.error.text, "%s%s twice", what,
                 name.ptr == NULL ? "" : tool_key(name));
        c->was_twice = true;
        return -EINVAL;
    }
    snprintf(c->run.error.text, sizeof c->run.error.text,
             "cannot look for duplicates: %s: %s (TMPDIR names another directory)",
             tool_spill_dir(), strerror(-said));
    return said;
}

static inline int
add_key(struct check *c, const struct rdb_key *k)
{
    c->group = 0;
    c->key_offset = k->offset;
    if (c->options->quick)
        return 0;
    return twice(c, twice_key(&c->twice, k), "its database has this key", no_name);
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct check *c = ctx;

    loads_key(&c->loads, k);
    return add_key(c, k);
}

static int
on_plain_string(void *ctx, const struct rdb_key *k, struct slice value)
{
    struct check *c = ctx;
    int r;

    (void)value;
    if ((r = add_key(c, k)) != 0)
        return r;
    if (unlikely(loads_wants_strings(&c->loads, k)))
        loads_key(&c->loads, k);
    c->keys++;
    return 0;
}

/* on_finding: all of them are named, in words that the server's log has too. */
static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct check *c = ctx;

    c->findings++;
    tool_warn(&c->run, f->offset, f->within, f->text, f->key);
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct check *c = ctx;

    tool_unknown_add(&c->unknown, key, what);
    loads_unknown(&c->loads, key, what);
    return key == NULL ? 0 : add_key(c, key);
}

static int
on_aux(void *ctx, struct slice name, struct slice value)
{
    struct check *c = ctx;

    (void)value;
    loads_aux(&c->loads, name);
    return 0;
}

static int
on_function(void *ctx, struct slice code)
{
    struct check *c = ctx;

    loads_function(&c->loads, code);
    return 0;
}

/* compare: an element of the value in hand with those before; space: of a consumer, its group. */
static inline int
compare(struct check *c, uint64_t space, struct slice element, const char *what)
{
    if (c->options->quick)
        return 0;
    return twice(c, twice_element(&c->twice, space, element), what, element);
}

static int
on_hash_field(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    return compare(ctx, 0, field, "the hash has the field ");
}

static int
on_hash_field_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)expire_at_ms;
    return on_hash_field(ctx, field, value);
}

static int
on_set_member(void *ctx, struct slice member)
{
    return compare(ctx, 0, member, "the set has the member ");
}

static int
on_zset_member(void *ctx, struct slice member, double score)
{
    (void)score;
    return compare(ctx, 0, member, "the sorted set has the member ");
}

static int
on_stream_group(void *ctx, const struct rdb_stream_group *group)
{
    struct check *c = ctx;

    c->group++;
    return compare(c, 0, group->name, "the stream has the group ");
}

static int
on_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct check *c = ctx;

    (void)seen_ms;
    (void)active_ms;
    return compare(c, c->group, name, "the group has the consumer ");
}

static int
on_value_end(void *ctx)
{
    struct check *c = ctx;

    c->keys++;
    return twice(c, twice_value_end(&c->twice), "", no_name);
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    struct check *c = ctx;

    c->crc = crc;
    return 0;
}

static const struct rdb_events events = {.no_values = true,
                                         .unknown = on_unknown,
                                         .start = on_start,
                                         .aux = on_aux,
                                         .function = on_function,
                                         .finding = on_finding,
                                         .key = on_key,
                                         .plain_string = on_plain_string,
                                         .hash_field = on_hash_field,
                                         .hash_field_expiring = on_hash_field_expiring,
                                         .set_member = on_set_member,
                                         .zset_member = on_zset_member,
                                         .stream_group = on_stream_group,
                                         .stream_consumer = on_stream_consumer,
                                         .value_end = on_value_end,
                                         .end = on_end};

/* ---- ... and of the second pass, which knows of names alone ---- */

static int
on_key_again(void *ctx, const struct rdb_key *k)
{
    return add_key(ctx, k);
}

static int
on_plain_string_again(void *ctx, const struct rdb_key *k, struct slice value)
{
    struct check *c = ctx;
    int r = add_key(c, k);

    (void)value;
    c->keys += r == 0;
    return r;
}

static int
on_unknown_again(void *ctx, const struct rdb_key *key, const char *what)
{
    (void)what;
    return key == NULL ? 0 : add_key(ctx, key);
}

static int
on_hash_field_expiring_again(void *ctx, struct slice field, struct slice value,
                             int64_t expire_at_ms)
{
    (void)expire_at_ms;
    return on_hash_field(ctx, field, value);
}

static const struct rdb_events events_again = {.no_values = true,
                                               .unknown = on_unknown_again,
                                               .key = on_key_again,
                                               .plain_string = on_plain_string_again,
                                               .hash_field = on_hash_field,
                                               .hash_field_expiring = on_hash_field_expiring_again,
                                               .set_member = on_set_member,
                                               .zset_member = on_zset_member,
                                               .stream_group = on_stream_group,
                                               .stream_consumer = on_stream_consumer,
                                               .value_end = on_value_end};

/* ---- one file ---- */

/* pass: once through the file; what is wrong is not told yet. */
static int
pass(struct check *c, struct tool_input *in, const struct rdb_events *by)
{
    struct rdb_events ev = *by;
    int status;

    ev.skip_unknown = c->options->skip_unknown || c->loads.count > 0;
    c->keys = 0;
    c->run.is_told_later = true;
    status = tool_run_decode(in, ev, &c->run);
    c->run.is_told_later = false;
    return status;
}

/* second_pass: are the suspects what they seem?  Then that is what is wrong with the file: it
 * stands before anything else that is, since the first pass came so far. */
static int
second_pass(struct check *c, struct tool_input *in, int status)
{
    struct rdb_error error = c->run.error;
    uint64_t keys = c->keys;

    if (!twice_begin_second(&c->twice))
        return status;
    (void)pass(c, in, &events_again);
    if (c->was_twice) {
        c->run.error.offset = c->key_offset;
        return TOOL_INVALID;
    }
    c->run.error = error;
    c->keys = keys;
    return status;
}

/* look: all passes. */
static int
look(struct check *c, struct tool_input *in)
{
    int status = pass(c, in, &events);

    if (c->options->quick)
        return status;
    if (twice(c, twice_value_end(&c->twice), "", no_name) != 0 ||
        twice(c, twice_end(&c->twice), "", no_name) != 0)
        return TOOL_INVALID;
    return second_pass(c, in, status);
}

static int
check_input(struct check *c, struct tool_input *in)
{
    int status;

    c->in = in;
    status = look(c, in);
    c->result = status != TOOL_OK ? CHECK_DAMAGED : c->findings > 0 ? CHECK_FOUND : CHECK_SOUND;
    return status;
}

/* check_file: c is filled. */
static int
check_file(struct check *c, const char *path)
{
    struct tool_input *in;
    int status = tool_run_open(path, !c->options->quick, &c->run, &in);

    loads_begin(&c->loads);
    c->result = CHECK_UNREADABLE;
    if (status != TOOL_OK)
        return status;
    twice_init(&c->twice);
    status = check_input(c, in);
    twice_fini(&c->twice);
    tool_input_close(in);
    return status;
}

static const struct say *
form_of(const struct tool_options *o)
{
    return strcmp(o->format, "json") == 0  ? &say_json
           : strcmp(o->format, "csv") == 0 ? &say_csv
                                           : &say_text;
}

int
tool_check(int count, char **files, const struct tool_options *o)
{
    const struct say *say = form_of(o);
    struct check_sum sum = {.files = 0};
    struct loads loads;
    int status = loads_init(&loads, o);

    if (status != TOOL_USAGE && say->begin != NULL)
        say->begin();
    for (int i = 0; i < count && status != TOOL_USAGE; i++) {
        struct check c = {.run = {.relaxed = o->relaxed, .quiet = o->quiet}, .options = o};

        c.loads = loads;
        if (check_file(&c, files[i]) != TOOL_OK || !loads_all(&c.loads, c.result < CHECK_DAMAGED))
            status = TOOL_INVALID;
        check_say_errors(&c);
        say->file(&c, sum.files == 0);
        sum.files++;
        sum.keys += c.keys;
        sum.of[c.result]++;
    }
    if (status != TOOL_USAGE && say->end != NULL)
        say->end(&sum, o);
    loads_fini(&loads);
    return status;
}
