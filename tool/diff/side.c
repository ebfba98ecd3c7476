/* tool/diff/side.c - one pass over a file, which leaves a mark of each key; and keys by their
 * offsets. */
#include "tool/diff/side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "tool/base/hash.h"
#include "tool/base/large.h"
#include "tool/base/spill.h"
#include "tool/input/run.h"

_Static_assert((int)RDB_VALUE_COUNT <= 1 << SIDE_KIND_BITS, "a kind has room");

/* ---- marks ---- */

/* expiry_bits: 48 that stand for it: the time itself up to the year 6429. */
static uint64_t
expiry_bits(int64_t at_ms)
{
    const uint64_t top = 1ull << 47;

    if (at_ms >= 0 && at_ms < (int64_t)top)
        return (uint64_t)at_ms;
    return top | ((uint64_t)at_ms * 0x9e3779b97f4a7c15u) >> 17;
}

static int
note_range(struct side *s, uint64_t offset, uint64_t db)
{
    if (s->range_count > 0 && s->ranges[s->range_count - 1].db == db)
        return 0;
    if (s->range_count == SIDE_RANGES_MOST) {
        snprintf(s->parts.values.walk.run.error.text, sizeof s->parts.values.walk.run.error.text,
                 "the database changes more than %d times", (int)SIDE_RANGES_MOST);
        return -E2BIG;
    }
    if (s->range_count == s->range_room) {
        size_t room = s->range_room == 0 ? 16 : s->range_room * 2;
        struct side_range *more = realloc(s->ranges, room * sizeof *more);

        if (more == NULL)
            return -ENOMEM;
        s->ranges = more;
        s->range_room = room;
    }
    s->ranges[s->range_count++] = (struct side_range){offset, db};
    return 0;
}

static int
begin(struct parts *p, const struct rdb_key *key)
{
    struct side *s = (struct side *)p;
    XXH128_hash_t name = tool_hash128(key->name, s->seed + key->db * 0x9fb21c651e98df25u);
    uint64_t expiry = expiry_bits(key->expire_at_ms);

    s->mark.first = name.high64;
    s->mark.second = name.low64 >> 32 << 32 | (uint32_t)expiry;
    s->mark.place = expiry >> 32 << SIDE_OFFSET_BITS | key->begin;
    s->sum = 0;
    s->is_empty = false;
    return note_range(s, key->begin, key->db);
}

/* part: lists in their order, all else in any. */
static int
part(struct parts *p, const struct part *part)
{
    struct side *s = (struct side *)p;
    uint64_t x;

    if (part->kind == PART_VALUE || part->kind == PART_ELEMENT) {
        x = (s->sum ^ part->sum) * 0x9e3779b97f4a7c15u;
        s->sum = x ^ x >> 32;
        return 0;
    }
    x = (part_mark(part, s->seed) ^ (part->sum << 32 | part->sum >> 32)) * 0x9fb21c651e98df25u;
    x ^= x >> 29;
    s->sum += x * 0x9e3779b97f4a7c15u;
    return 0;
}

static int
end(struct parts *p)
{
    struct side *s = (struct side *)p;
    enum rdb_value_kind kind = p->values.key.kind;
    uint64_t x = (s->sum ^ s->sum >> 32) * 0x9e3779b97f4a7c15u;

    if (s->is_empty)
        return 0;
    s->mark.rest = (x >> SIDE_KIND_BITS ^ x) << SIDE_KIND_BITS | (uint64_t)kind;
    s->keys++;
    s->keys_of[kind]++;
    return sorter_add(&s->marks, &s->mark);
}

static int
on_finding(void *ctx, const struct rdb_finding *finding)
{
    struct side *s = ctx;

    if (finding->kind == RDB_FINDING_EMPTY_KEY)
        s->is_empty = true;
    return 0;
}

static int
on_function(void *ctx, struct slice code)
{
    struct side *s = ctx;

    s->libraries++;
    s->library_sum += tool_hash(code, 0);
    return 0;
}

int
side_open(struct side *s, const char *path, uint64_t seed)
{
    struct tool_run *run = &s->parts.values.walk.run;
    int r;

    memset(s, 0, sizeof *s);
    s->fd = -1;
    sorter_init(&s->marks);
    s->path = path;
    s->seed = seed;
    if ((r = parts_init(&s->parts)) != 0) {
        run->path = path;
        return tool_run_report(run, r);
    }
    return tool_run_open(path, true, run, &s->in);
}

void
side_close(struct side *s)
{
    walk_fini(&s->parts.values.walk);
    parts_fini(&s->parts);
    sorter_fini(&s->marks);
    if (s->in != NULL)
        tool_input_close(s->in);
    free(s->ranges);
    free(s->pieces);
}

int
side_marks(struct side *s, struct selection *selection, const struct tool_options *o)
{
    struct walk_events events = {.rdb = parts_rdb_events()};

    s->parts.begin = begin;
    s->parts.part = part;
    s->parts.end = end;
    events.rdb.finding = on_finding;
    events.rdb.function = on_function;
    return walk_input(&s->parts.values.walk, s->in, s->path, &events, selection, o);
}

/* ---- keys by their offsets ---- */

/* What is read at once grows: most keys are small. */
enum { FIRST_BYTES = 4096, MOST_BYTES = 256 * 1024 };

struct side_pieces {
    int fd, error;
    uint64_t at, until;
    size_t next_bytes;
    uint8_t bytes[RDB_READER_HEADROOM + MOST_BYTES];
};

static int
next_piece(void *ctx, uint8_t **ret, size_t *ret_len)
{
    struct side_pieces *p = ctx;
    uint64_t left = p->until - p->at;
    size_t n = left < p->next_bytes ? (size_t)left : p->next_bytes;
    int r = n == 0 ? 0 : tool_spill_read(p->fd, p->bytes + RDB_READER_HEADROOM, n, p->at);

    if (r != 0)
        return r;
    p->at += n;
    if (p->next_bytes < MOST_BYTES)
        p->next_bytes *= 4;
    *ret = p->bytes + RDB_READER_HEADROOM;
    *ret_len = n;
    return 0;
}

static int
make_pieces(struct side *s, struct rdb_error *err)
{
    int r;

    if (s->pieces != NULL)
        return 0;
    if ((r = tool_input_flat(s->in, &s->fd, &s->flat_bytes, err)) != 0)
        return r;
    s->pieces = malloc(sizeof *s->pieces);
    return s->pieces == NULL ? -ENOMEM : 0;
}

static uint64_t
db_at(const struct side *s, uint64_t offset)
{
    size_t low = 0, high = s->range_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (s->ranges[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return s->ranges[low].db;
}

enum { KEY_IS_OVER = 1 << 22 };

static int
end_of_key(struct parts *p)
{
    (void)p;
    return KEY_IS_OVER;
}

int
side_read(struct side *s, uint64_t offset, struct parts *parts, struct rdb_error *err)
{
    static const struct rdb_reader reader = {.next = next_piece, .large = tool_large};
    struct rdb_events events = parts_rdb_events();
    const struct walk *w = &s->parts.values.walk;
    struct rdb_place place = {w->version, db_at(s, offset), offset};
    struct rdb_source *src;
    int r = make_pieces(s, err);

    if (r != 0)
        return r;
    s->pieces->fd = s->fd;
    s->pieces->at = offset;
    s->pieces->until = s->flat_bytes;
    s->pieces->next_bytes = FIRST_BYTES;
    if ((r = rdb_source_reader(&reader, s->pieces, 0, false, false, &src)) != 0)
        return r;
    events.any_version = w->run.relaxed;
    events.skip_unknown = w->skip_unknown;
    parts->end = end_of_key;
    r = rdb_decode_items(src, &place, &events, parts, err);
    rdb_source_close(src);
    return r == KEY_IS_OVER ? 0 : r;
}
