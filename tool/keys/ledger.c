/* tool/keys/ledger.c - from one pass for the next. */
#include "tool/keys/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/spill.h"

/* An entry: others | encoding and form | elements | value bytes | largest | record bytes | expiring
 * fields; numbers in groups of seven bits, the lowest first. */
enum { NUMBER_BYTES = 10, NUMBERS = 6, ENTRY_BYTES = NUMBER_BYTES * NUMBERS + 1, FORM_SHIFT = 4 };

_Static_assert(KEY_ENCODINGS <= 1 << FORM_SHIFT, "encoding and form are one byte");

int
ledger_open(struct ledger *l, bool with_facts)
{
    *l = (struct ledger){.fd = -1, .with_facts = with_facts};
    l->piece = malloc(LEDGER_PIECE_BYTES);
    return l->piece != NULL ? 0 : -ENOMEM;
}

void
ledger_close(struct ledger *l)
{
    free(l->piece);
    if (l->fd >= 0)
        close(l->fd);
    *l = (struct ledger){.fd = -1};
}

static int
write_piece(struct ledger *l)
{
    int r;

    if (l->fd < 0 && (l->fd = tool_spill_open()) < 0)
        return l->fd;
    if ((r = tool_spill_write(l->fd, l->piece, l->at, l->file_bytes)) != 0)
        return r;
    l->file_bytes += l->at;
    l->at = 0;
    return 0;
}

static void
put(struct ledger *l, uint64_t n)
{
    for (; n >= 128; n >>= 7)
        l->piece[l->at++] = (uint8_t)(n | 128);
    l->piece[l->at++] = (uint8_t)n;
}

int
ledger_add(struct ledger *l, const struct key_facts *f)
{
    int r;

    if (l->at > LEDGER_PIECE_BYTES - ENTRY_BYTES && (r = write_piece(l)) != 0)
        return r;
    put(l, l->others);
    l->others = 0;
    if (!l->with_facts)
        return 0;
    l->piece[l->at++] = (uint8_t)((unsigned)f->form << FORM_SHIFT | f->encoding_number);
    put(l, f->elements);
    put(l, f->value_bytes);
    put(l, f->largest_bytes);
    put(l, f->record_bytes);
    put(l, f->expiring_fields);
    return 0;
}

/* read_more: at least one whole entry is in hand, or all that is left. */
static int
read_more(struct ledger *l)
{
    uint32_t left = l->len - l->at, n = LEDGER_PIECE_BYTES - left;
    int r;

    if (left >= ENTRY_BYTES || l->file_at == l->file_bytes)
        return 0;
    memmove(l->piece, l->piece + l->at, left);
    if (n > l->file_bytes - l->file_at)
        n = (uint32_t)(l->file_bytes - l->file_at);
    if ((r = tool_spill_read(l->fd, l->piece + left, n, l->file_at)) != 0)
        return r;
    l->file_at += n;
    l->at = 0;
    l->len = left + n;
    return 0;
}

static uint64_t
take(struct ledger *l)
{
    uint64_t n = 0;
    unsigned shift = 0;
    uint8_t b;

    do {
        b = l->piece[l->at++];
        n |= (uint64_t)(b & 127) << shift;
        shift += 7;
    } while ((b & 128) != 0);
    return n;
}

/* take_others: how many are passed over before the next one that is selected. */
static int
take_others(struct ledger *l)
{
    int r;

    if ((r = read_more(l)) != 0)
        return r;
    l->is_over = l->at == l->len;
    l->others = l->is_over ? 0 : take(l);
    return 0;
}

int
ledger_rewind(struct ledger *l)
{
    int r;

    if (l->fd >= 0 && (r = write_piece(l)) != 0)
        return r;
    l->len = l->at;
    l->at = 0;
    return take_others(l);
}

static void
take_facts(struct ledger *l, struct key_facts *ret)
{
    uint8_t both = l->piece[l->at++];

    *ret =
        (struct key_facts){.form = (enum rdb_form)(both >> FORM_SHIFT),
                           .encoding_number = (enum key_encoding)(both & ((1 << FORM_SHIFT) - 1))};
    ret->encoding = key_encoding_names[ret->encoding_number];
    ret->elements = take(l);
    ret->value_bytes = take(l);
    ret->largest_bytes = take(l);
    ret->record_bytes = take(l);
    ret->expiring_fields = take(l);
}

int
ledger_take(struct ledger *l, bool *ret_is_selected, struct key_facts *ret)
{
    *ret_is_selected = !l->is_over && l->others == 0;
    if (l->is_over)
        return 0;
    if (l->others > 0) {
        l->others--;
        return 0;
    }
    if (l->with_facts)
        take_facts(l, ret);
    return take_others(l);
}
