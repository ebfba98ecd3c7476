/* tool/salvage/records.c - a list that may be long. */
#include "tool/salvage/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "tool/base/spill.h"

enum { FIRST_RECORDS = 16 };

void
records_init(struct records *r, size_t record_bytes)
{
    must(record_bytes <= RECORDS_HELD_BYTES);
    *r = (struct records){.record_bytes = record_bytes};
}

void
records_fini(struct records *r)
{
    free(r->held);
    free(r->window);
    if (r->has_file)
        close(r->fd);
    records_init(r, r->record_bytes);
}

static uint64_t
held_most(const struct records *r)
{
    return RECORDS_HELD_BYTES / r->record_bytes;
}

static int
spill_held(struct records *r)
{
    int e;

    if (!r->has_file && (r->fd = tool_spill_open()) < 0)
        return r->fd;
    r->has_file = true;
    if ((e = tool_spill_write(r->fd, r->held, (size_t)(r->count - r->held_from) * r->record_bytes,
                              r->held_from * r->record_bytes)) < 0)
        return e;
    r->held_from = r->count;
    return 0;
}

/* make_room: for one more, or as many as are held at most. */
static int
make_room(struct records *r)
{
    size_t room = r->room == 0 ? FIRST_RECORDS : 2 * r->room;
    uint8_t *grown;

    if (r->count - r->held_from < r->room || r->room == held_most(r))
        return 0;
    if (room > held_most(r))
        room = (size_t)held_most(r);
    if ((grown = realloc(r->held, room * r->record_bytes)) == NULL)
        return -ENOMEM;
    r->held = grown;
    r->room = room;
    return 0;
}

int
records_add(struct records *r, const void *record)
{
    int e;

    if ((e = make_room(r)) < 0)
        return e;
    if (r->count - r->held_from == held_most(r) && (e = spill_held(r)) < 0)
        return e;
    memcpy(r->held + (size_t)(r->count - r->held_from) * r->record_bytes, record, r->record_bytes);
    r->count++;
    return 0;
}

void
records_drop_last(struct records *r)
{
    must(r->count > 0);
    if (r->count-- > r->held_from)
        return;
    r->held_from = r->count; /* it was the file's last one */
    r->window_count = 0;
}

int
records_get(struct records *r, uint64_t i, void *ret)
{
    int e;

    must(i < r->count);
    if (i >= r->held_from) {
        memcpy(ret, r->held + (size_t)(i - r->held_from) * r->record_bytes, r->record_bytes);
        return 0;
    }
    if (r->window == NULL && (r->window = malloc(RECORDS_HELD_BYTES)) == NULL)
        return -ENOMEM;
    if (i < r->window_from || i >= r->window_from + r->window_count) {
        uint64_t n = r->held_from - i;

        r->window_from = i;
        r->window_count = n < held_most(r) ? n : held_most(r);
        if ((e = tool_spill_read(r->fd, r->window, (size_t)r->window_count * r->record_bytes,
                                 i * r->record_bytes)) < 0) {
            r->window_count = 0;
            return e;
        }
    }
    memcpy(ret, r->window + (size_t)(i - r->window_from) * r->record_bytes, r->record_bytes);
    return 0;
}
