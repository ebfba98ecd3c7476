/* snapshot/tool_check.c - stillframe-rdb check: everything that a loader would refuse, and duplicates. */
#include <errno.h>

#include "snapshot/field_set.h"
#include "snapshot/rdb.h"
#include "snapshot/tool.h"

/* Keys are compared up to this number: their marks then take 2 GiB. */
enum { COMPARED_KEYS = 64 << 20 };

struct check {
    struct tool_run run; /* first: the decoder's events get it */
    int version;
    uint64_t keys, findings;
    bool is_plain_hash, is_plain_zset;
    struct field_set all_keys, fields;
    enum rdb_crc crc;
};

/* judge: what field_set_add() said of something that must be there once. */
static int
judge(struct check *c, int r, const char *what, const char *name)
{
    if (r > 0)
        return 0;
    if (r < 0)
        snprintf(c->run.error.text, sizeof c->run.error.text, "no memory to look for duplicates");
    else
        snprintf(c->run.error.text, sizeof c->run.error.text, "%s%s twice", what, name);
    return r < 0 ? r : -EINVAL;
}

static int
on_start(void *ctx, int version)
{
    struct check *c = ctx;

    c->version = version;
    return 0;
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct check *c = ctx;

    c->keys++;
    c->is_plain_hash = k->type == RDB_TYPE_HASH;
    c->is_plain_zset = k->type == RDB_TYPE_ZSET || k->type == RDB_TYPE_ZSET_2;
    if (c->keys > COMPARED_KEYS)
        return 0;
    return judge(c, field_set_add_in(&c->all_keys, k->db, k->name.bytes, k->name.len),
                 "its database has this key", "");
}

/* on_finding: all of them are named, in words that the server's log has too. */
static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct check *c = ctx;

    c->findings++;
    tool_warn(&c->run, f->offset, f->text, f->key);
    return 0;
}

static int
on_hash_begin(void *ctx, uint64_t fields)
{
    struct check *c = ctx;

    (void)fields;
    field_set_clear(&c->fields);
    return 0;
}

static int
on_hash_field(void *ctx, struct rdb_slice field, struct rdb_slice value)
{
    struct check *c = ctx;

    (void)value;
    if (!c->is_plain_hash) /* the decoder has compared them */
        return 0;
    return judge(c, field_set_add(&c->fields, field.bytes, field.len), "the hash has the field ",
                 tool_key(field.bytes, field.len));
}

static int
on_set_begin(void *ctx, uint64_t members)
{
    return on_hash_begin(ctx, members);
}

static int
on_set_member(void *ctx, struct rdb_slice member)
{
    struct check *c = ctx;

    return judge(c, field_set_add(&c->fields, member.bytes, member.len), "the set has the member ",
                 tool_key(member.bytes, member.len));
}

static int
on_zset_member(void *ctx, struct rdb_slice member, double score)
{
    struct check *c = ctx;

    (void)score;
    if (!c->is_plain_zset)
        return 0;
    return judge(c, field_set_add(&c->fields, member.bytes, member.len), "the sorted set has the member ",
                 tool_key(member.bytes, member.len));
}

static int
on_end(void *ctx, enum rdb_crc crc)
{
    struct check *c = ctx;

    c->crc = crc;
    return 0;
}

static const struct rdb_events events = {.start = on_start,
                                         .finding = on_finding,
                                         .key = on_key,
                                         .hash_begin = on_hash_begin,
                                         .hash_field = on_hash_field,
                                         .set_begin = on_set_begin,
                                         .set_member = on_set_member,
                                         .zset_begin = on_hash_begin,
                                         .zset_member = on_zset_member,
                                         .end = on_end};

int
tool_check(const char *path, const struct tool_options *o)
{
    static const char *const crc_text[] = {[RDB_CRC_NONE] = "too old for a checksum",
                                           [RDB_CRC_ZERO] = "written without checksum",
                                           [RDB_CRC_UNCHECKED] = "checksum not looked at",
                                           [RDB_CRC_GOOD] = "checksum good"};
    struct check c = {.keys = 0};
    int status;

    field_set_init(&c.all_keys);
    field_set_init(&c.fields);
    status = tool_decode(path, events, &c.run);
    field_set_fini(&c.all_keys);
    field_set_fini(&c.fields);
    if (status == TOOL_OK && c.keys > COMPARED_KEYS)
        fprintf(stderr, "stillframe-rdb: %s: of %s keys only the first %s were compared with each other\n",
                path, tool_count(c.keys), tool_count(COMPARED_KEYS));
    if (status == TOOL_OK && !o->quiet)
        printf("%s: %s: RDB %d, %s key%s, %s, %s\n", path,
               c.findings == 0 ? "sound" : "can be loaded, but see what was found", c.version,
               tool_count(c.keys), c.keys == 1 ? "" : "s", tool_size(c.run.size_bytes), crc_text[c.crc]);
    return status;
}
