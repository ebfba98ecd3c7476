/* tool/convert/sort.c - runs in a temporary file, and their merge. */
#include "tool/convert/sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "tool/base/spill.h"

enum { RECORD_MOST = 64, FEW_RECORDS = 24, BYTES = 256 };

void
sort_init(struct sort *s, size_t record_bytes, size_t memory_bytes)
{
    must(record_bytes > 0 && record_bytes <= RECORD_MOST && memory_bytes >= record_bytes);
    *s = (struct sort){.record_bytes = record_bytes, .room = memory_bytes / record_bytes, .fd = -1};
}

void
sort_fini(struct sort *s)
{
    sort_clear(s);
    free(s->records);
    s->records = NULL;
}

void
sort_clear(struct sort *s)
{
    if (s->fd >= 0)
        (void)close(s->fd); /* nobody reads it any more */
    s->fd = -1;
    free(s->runs);
    free(s->buffers);
    s->runs = NULL;
    s->buffers = NULL;
    s->run_count = s->run_room = s->fill = s->taken = 0;
    s->written_bytes = s->count = 0;
}

static void
exchange(uint8_t *a, uint8_t *b, size_t bytes)
{
    uint8_t was[RECORD_MOST];

    memcpy(was, a, bytes);
    memcpy(a, b, bytes);
    memcpy(b, was, bytes);
}

/* insert_all: few records, whose bytes before `at` are the same. */
static void
insert_all(uint8_t *records, size_t count, size_t bytes, size_t at)
{
    for (size_t i = 1; i < count; i++)
        for (uint8_t *r = records + i * bytes;
             r > records && memcmp(r + at, r - bytes + at, bytes - at) < 0; r -= bytes)
            exchange(r, r - bytes, bytes);
}

/* count_bytes: ret[b]: how many records have that byte there.  True: all have the same. */
static bool
count_bytes(const uint8_t *records, size_t count, size_t bytes, size_t at, size_t ret[BYTES])
{
    memset(ret, 0, BYTES * sizeof *ret);
    for (size_t i = 0; i < count; i++)
        ret[records[i * bytes + at]]++;
    return ret[records[at]] == count;
}

/* sort_from: by the bytes from `at` on, place by place: each record goes into the part of its byte,
 * and the parts are sorted by the next one.  Records with hashes are in parts of a few after two or
 * three places.  As deep as a record is long, at most. */
static void
sort_from(uint8_t *records, size_t count, size_t bytes, size_t at)
{
    size_t counts[BYTES], next[BYTES], end = 0;

    while (count > FEW_RECORDS && at < bytes && count_bytes(records, count, bytes, at, counts))
        at++;
    if (at == bytes)
        return;
    if (count <= FEW_RECORDS) {
        insert_all(records, count, bytes, at);
        return;
    }
    for (unsigned b = 0; b < BYTES; end += counts[b++])
        next[b] = end;
    end = 0;
    for (unsigned b = 0; b < BYTES; b++)
        for (end += counts[b]; next[b] < end;) {
            uint8_t *r = records + next[b] * bytes;

            if (r[at] == b)
                next[b]++;
            else
                exchange(r, records + next[r[at]]++ * bytes, bytes);
        }
    for (unsigned b = 0; b < BYTES; records += counts[b++] * bytes)
        if (counts[b] > 1)
            sort_from(records, counts[b], bytes, at + 1);
}

static void
sort_records(struct sort *s)
{
    sort_from(s->records, s->fill, s->record_bytes, 0);
}

/* write_run: what is in memory. */
static int
write_run(struct sort *s)
{
    size_t bytes = s->fill * s->record_bytes;
    int r;

    if (s->run_count == s->run_room) {
        size_t room = s->run_room == 0 ? 16 : 2 * s->run_room;
        struct sort_run *more = realloc(s->runs, room * sizeof *more);

        if (more == NULL)
            return -ENOMEM;
        s->runs = more;
        s->run_room = room;
    }
    if (s->fd < 0 && (s->fd = tool_spill_open()) < 0) {
        r = s->fd;
        s->fd = -1;
        return r;
    }
    sort_records(s);
    if ((r = tool_spill_write(s->fd, s->records, bytes, s->written_bytes)) < 0)
        return r;
    s->runs[s->run_count++] = (struct sort_run){.at = s->written_bytes, .left = s->fill};
    s->written_bytes += bytes;
    s->fill = 0;
    return 0;
}

int
sort_add(struct sort *s, const void *record)
{
    int r;

    if (s->records == NULL && (s->records = malloc(s->room * s->record_bytes)) == NULL)
        return -ENOMEM;
    if (s->fill == s->room && (r = write_run(s)) < 0)
        return r;
    memcpy(s->records + s->fill++ * s->record_bytes, record, s->record_bytes);
    s->count++;
    return 0;
}

/* refill: the next records of a run into its buffer. */
static int
refill(struct sort *s, struct sort_run *run)
{
    size_t n = run->left < s->buffer_records ? (size_t)run->left : s->buffer_records;
    size_t bytes = n * s->record_bytes;
    int r;

    if (n > 0 && (r = tool_spill_read(s->fd, run->buffer, bytes, run->at)) < 0)
        return r;
    run->at += bytes;
    run->left -= n;
    run->here = run->buffer;
    run->end = run->buffer + bytes;
    return 0;
}

static bool
is_before(const struct sort *s, size_t a, size_t b)
{
    const struct sort_run *ra = &s->runs[a], *rb = &s->runs[b];

    if (ra->here == ra->end || rb->here == rb->end)
        return rb->here == rb->end && ra->here != ra->end;
    return memcmp(ra->here, rb->here, s->record_bytes) < 0;
}

/* sift: the runs are a heap, the lowest record first. */
static void
sift(struct sort *s, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->run_count; child++)
            if (is_before(s, child, least))
                least = child;
        if (least == i)
            return;
        struct sort_run was = s->runs[i];
        s->runs[i] = s->runs[least];
        s->runs[least] = was;
        i = least;
    }
}

int
sort_rewind(struct sort *s)
{
    size_t least = 4096 / s->record_bytes;
    int r;

    s->taken = 0;
    if (s->run_count == 0) {
        sort_records(s);
        return 0;
    }
    if (s->fill > 0 && (r = write_run(s)) < 0)
        return r;
    free(s->records); /* the merge has its own */
    s->records = NULL;
    s->buffer_records = SORT_MERGE_BYTES / s->run_count / s->record_bytes;
    if (s->buffer_records < least)
        s->buffer_records = least;
    s->buffers = malloc(s->run_count * s->buffer_records * s->record_bytes);
    if (s->buffers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->run_count; i++) {
        s->runs[i].buffer = s->buffers + i * s->buffer_records * s->record_bytes;
        if ((r = refill(s, &s->runs[i])) < 0)
            return r;
    }
    for (size_t i = s->run_count; i > 0; i--)
        sift(s, i - 1);
    return 0;
}

int
sort_next(struct sort *s, const void **ret)
{
    struct sort_run *run;
    int r;

    if (s->run_count == 0) {
        if (s->taken == s->fill)
            return 0;
        *ret = s->records + s->taken++ * s->record_bytes;
        return 1;
    }
    run = &s->runs[0];
    if (s->taken > 0 && run->here < run->end) { /* the first one was given before: behind it */
        run->here += s->record_bytes;
        if (run->here == run->end && (r = refill(s, run)) < 0)
            return r;
        sift(s, 0);
    }
    s->taken = 1;
    if (run->here == run->end)
        return 0;
    *ret = run->here;
    return 1;
}
