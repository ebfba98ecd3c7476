/* tool/export/resp_put.h - commands in RESP: arrays of binary-safe strings, whose number and
 * lengths stand before them.
 *
 *     *3\r\n  $5\r\nRPUSH\r\n  $1\r\nk\r\n  $1\r\nx\r\n
 *
 * A batch gathers the elements of a collection until their number is known: at most
 * RESP_BATCH_ELEMENTS or RESP_BATCH_BYTES of them; a longer element goes out alone, as it is.
 * Threads: one. */
#ifndef TOOL_EXPORT_RESP_PUT_H
#define TOOL_EXPORT_RESP_PUT_H

#include "mm/base/num.h"
#include "mm/base/slice.h"
#include "tool/base/out.h"

enum { RESP_BATCH_ELEMENTS = 64, RESP_BATCH_BYTES = 64 * 1024, RESP_WORDS = 5 };
enum { RESP_MARK_BYTES = NUM_MAX_BYTES + 3 }; /* "$", digits, "\r\n" */

static inline char *
resp_print_mark(char *p, char mark, uint64_t n)
{
    *p++ = mark;
    p = num_put_unsigned(p, n);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

/* resp_command: what follows is one, of so many words.  resp_bulk_head: a word of len bytes, which
 * are put after it, and then resp_bulk_end(). */
static inline void
resp_mark(struct tool_out *out, char mark, uint64_t n)
{
    char *p = (char *)tool_out_room(out, RESP_MARK_BYTES);

    tool_out_used(out, (uint8_t *)resp_print_mark(p, mark, n));
}

static inline void
resp_command(struct tool_out *out, uint64_t words)
{
    resp_mark(out, '*', words);
}

static inline void
resp_bulk_head(struct tool_out *out, uint64_t len)
{
    resp_mark(out, '$', len);
}

static inline void
resp_bulk_end(struct tool_out *out)
{
    tool_out_put(out, "\r\n", 2);
}

static inline void
resp_bulk(struct tool_out *out, struct slice word)
{
    resp_bulk_head(out, word.len);
    tool_out_slice(out, word);
    resp_bulk_end(out);
}

static inline void
resp_number(struct tool_out *out, int64_t n)
{
    char digits[NUM_MAX_BYTES];

    resp_bulk(out, slice_of(digits, num_print(digits, n)));
}

/* resp_put: a command of few words. */
void resp_put(struct tool_out *out, const struct slice *words, unsigned count);

struct resp_batch {
    struct tool_out *out;
    struct slice words[RESP_WORDS]; /* what stands before the elements; the caller's */
    unsigned word_count;
    unsigned elements, element_words; /* gathered */
    unsigned tail_words;              /* what stands behind the elements: in RESP */
    size_t tail_len, len, later_len;
    char tail[256];
    char bytes[RESP_BATCH_BYTES];
    char later[RESP_BATCH_BYTES]; /* whole commands that must come behind the batch */
};

/* resp_batch_begin: none is in hand; these words stand before each part of what is added now. */
void resp_batch_begin(struct resp_batch *b, const struct slice *words, unsigned count);
/* resp_batch_tail: one more word behind the elements; short. */
void resp_batch_tail(struct resp_batch *b, struct slice word);
/* resp_batch_add: an element of so many words. */
void resp_batch_add(struct resp_batch *b, const struct slice *words, unsigned count);
/* resp_batch_later: a command that needs the elements added so far. */
void resp_batch_later(struct resp_batch *b, const struct slice *words, unsigned count);
/* resp_batch_flush: what was added goes out. */
void resp_batch_flush(struct resp_batch *b);

#endif
