/* tool/check/check.c - stillframe-rdb check: everything that a loader would refuse, and
 * duplicates. */
#include <errno.h>
#include <string.h>

#include "snapshot/rdb/rdb.h"
#include "tool/base/spill.h"
#include "tool/base/tool.h"
#include "tool/check/check.h"
#include "tool/check/marks.h"
#include "tool/input/run.h"

struct check {
    struct tool_run run; /* first: the decoder's events get it */
    int version;
    uint64_t keys, findings;
    bool is_plain; /* the value in hand has elements that the decoder has not compared */
    uint64_t key_offset, element;
    uint64_t group; /* of a stream: the number of the group in hand, from 1 */
    struct tool_marks all_keys, elements;
    enum rdb_crc crc;
    /* what was seen to have come before when its name was gone already: told by another pass */
    bool has_twice, twice_is_key;
    uint64_t twice_key, twice_element; /* the key's offset, and the number of its element */
};

static int
cannot_compare(struct check *c, int error)
{
    snprintf(c->run.error.text, sizeof c->run.error.text,
             "cannot look for duplicates: %s: %s (TMPDIR names another directory)",
             tool_spill_dir(), strerror(-error));
    return error;
}

static int
say_twice(struct check *c, const char *what, const char *name)
{
    snprintf(c->run.error.text, sizeof c->run.error.text, "%s%s twice", what, name);
    return -EINVAL;
}

static int
on_start(void *ctx, int version)
{
    struct check *c = ctx;

    c->version = version;
    return 0;
}

static bool
is_plain(uint8_t type)
{
    return type == RDB_TYPE_HASH || type == RDB_TYPE_SET || type == RDB_TYPE_ZSET ||
           type == RDB_TYPE_ZSET_2 || type == RDB_TYPE_STREAM || type == RDB_TYPE_STREAM_2 ||
           type == RDB_TYPE_STREAM_3 || type >= RDB_TYPE_HASH_EXPIRES_RC;
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct check *c = ctx;
    int r;

    c->keys++;
    c->is_plain = is_plain(k->type);
    c->key_offset = k->offset;
    c->element = c->group = 0;
    r = tool_marks_add(&c->all_keys, k->db, k->name.ptr, k->name.len, k->offset);
    if (r == MARKS_TWICE)
        return say_twice(c, "its database has this key", "");
    return r < 0 ? cannot_compare(c, r) : 0;
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

/* compare: an element of the value in hand with those before; space: of a consumer, its group. */
static int
compare(struct check *c, uint64_t space, struct slice element, const char *what)
{
    int r;

    if (!c->is_plain) /* the decoder has compared them */
        return 0;
    r = tool_marks_add(&c->elements, space, element.ptr, element.len, c->element++);
    if (r == MARKS_TWICE)
        return say_twice(c, what, tool_key(element));
    return r < 0 ? cannot_compare(c, r) : 0;
}

static const char the_field[] = "the hash has the field ", the_member[] = "the set has the member ",
                  the_ranked[] = "the sorted set has the member ",
                  the_group[] = "the stream has the group ",
                  the_consumer[] = "the group has the consumer ";

static int
on_hash_field(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    return compare(ctx, 0, field, the_field);
}

static int
on_set_member(void *ctx, struct slice member)
{
    return compare(ctx, 0, member, the_member);
}

static int
on_zset_member(void *ctx, struct slice member, double score)
{
    (void)score;
    return compare(ctx, 0, member, the_ranked);
}

static int
on_stream_group(void *ctx, const struct rdb_stream_group *group)
{
    struct check *c = ctx;

    c->group++;
    return compare(c, 0, group->name, the_group);
}

static int
on_stream_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    struct check *c = ctx;

    (void)seen_ms;
    (void)active_ms;
    return compare(c, c->group, name, the_consumer);
}

static int
on_value_end(void *ctx)
{
    struct check *c = ctx;
    int r = MARKS_NEW;

    if (!c->is_plain)
        return 0;
    if (c->element > MARKS_HELD)
        r = tool_marks_end(&c->elements, &c->twice_element);
    tool_marks_clear(&c->elements);
    if (r < 0)
        return cannot_compare(c, r);
    if (r != MARKS_TWICE)
        return 0;
    c->has_twice = c->run.is_told_later = true;
    c->twice_key = c->key_offset;
    return -EINVAL;
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    struct check *c = ctx;

    c->crc = crc;
    return 0;
}

static const struct rdb_events events = {.no_values = true,
                                         .start = on_start,
                                         .finding = on_finding,
                                         .key = on_key,
                                         .hash_field = on_hash_field,
                                         .set_member = on_set_member,
                                         .zset_member = on_zset_member,
                                         .stream_group = on_stream_group,
                                         .stream_consumer = on_stream_consumer,
                                         .value_end = on_value_end,
                                         .end = on_end};

/* ---- the second pass: to the thing that had come before, for its name ---- */

static int
find_key(void *ctx, const struct rdb_key *k)
{
    struct check *c = ctx;

    c->is_plain = k->offset == c->twice_key;
    c->element = 0;
    return c->is_plain && c->twice_is_key ? say_twice(c, "its database has this key", "") : 0;
}

static int
find_element(struct check *c, struct slice element, const char *what)
{
    if (!c->is_plain || c->element++ != c->twice_element)
        return 0;
    return say_twice(c, what, tool_key(element));
}

static int
find_field(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    return find_element(ctx, field, the_field);
}

static int
find_member(void *ctx, struct slice member)
{
    return find_element(ctx, member, the_member);
}

static int
find_ranked(void *ctx, struct slice member, double score)
{
    (void)score;
    return find_element(ctx, member, the_ranked);
}

static int
find_group(void *ctx, const struct rdb_stream_group *group)
{
    return find_element(ctx, group->name, the_group);
}

static int
find_consumer(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms)
{
    (void)seen_ms;
    (void)active_ms;
    return find_element(ctx, name, the_consumer);
}

static const struct rdb_events finding_names = {.no_values = true,
                                                .key = find_key,
                                                .hash_field = find_field,
                                                .set_member = find_member,
                                                .zset_member = find_ranked,
                                                .stream_group = find_group,
                                                .stream_consumer = find_consumer};

/* compare_keys: those that could not be compared as they came. */
static int
compare_keys(struct check *c)
{
    int r = tool_marks_end(&c->all_keys, &c->twice_key);

    if (r < 0) {
        cannot_compare(c, r);
        fprintf(stderr, "stillframe-rdb: %s: %s\n", c->run.path, c->run.error.text);
        return TOOL_INVALID;
    }
    c->has_twice = c->twice_is_key = r == MARKS_TWICE;
    return TOOL_OK;
}

static int
check_file(const char *path, const struct tool_options *o)
{
    static const char *const crc_text[] = {[RDB_CRC_NONE] = "too old for a checksum",
                                           [RDB_CRC_ZERO] = "written without checksum",
                                           [RDB_CRC_UNCHECKED] = "checksum not looked at",
                                           [RDB_CRC_GOOD] = "checksum good",
                                           [RDB_CRC_FRAME] = "the frame's checksums good"};
    struct check c = {.run = {.relaxed = o->relaxed, .quiet = o->quiet}};
    char form[128] = "";
    int status;

    tool_marks_init(&c.all_keys);
    tool_marks_init(&c.elements);
    status = tool_decode(path, events, &c.run);
    if (status == TOOL_OK)
        status = compare_keys(&c);
    tool_marks_fini(&c.all_keys);
    tool_marks_fini(&c.elements);
    if (c.has_twice) {
        c.run.is_told_later = false;
        status = tool_decode(path, finding_names, &c.run);
    }
    if (c.run.is_packed)
        snprintf(form, sizeof form, " as %s (%s without)", c.run.form, tool_size(c.run.rdb_bytes));
    if (status == TOOL_OK && !o->quiet)
        printf("%s: %s: RDB %d, %s key%s, %s%s, %s\n", path,
               c.findings == 0 ? "sound" : "can be loaded, but see what was found", c.version,
               tool_count(c.keys), c.keys == 1 ? "" : "s", tool_size(c.run.size_bytes), form,
               crc_text[c.crc]);
    return status;
}

int
tool_check(int count, char **files, const struct tool_options *o)
{
    int status = TOOL_OK;

    for (int i = 0; i < count; i++)
        if (check_file(files[i], o) != TOOL_OK)
            status = TOOL_INVALID;
    return status;
}
