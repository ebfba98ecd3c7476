/* tool/export/resp_put.c - commands in RESP. */
#include "tool/export/resp_put.h"

#include "mm/base/must.h"

static void
put_words(struct tool_out *out, const struct slice *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        resp_bulk(out, words[i]);
}

void
resp_put(struct tool_out *out, const struct slice *words, unsigned count)
{
    resp_command(out, count);
    put_words(out, words, count);
}

void
resp_batch_begin(struct resp_batch *b, const struct slice *words, unsigned count)
{
    debug_check(count <= RESP_WORDS && b->elements == 0 && b->later_len == 0);
    memcpy(b->words, words, count * sizeof *words);
    b->word_count = count;
    b->tail_words = 0;
    b->tail_len = 0;
}

/* most: of the bytes that a word takes, more or less. */
static size_t
words_most(const struct slice *words, unsigned count)
{
    size_t n = 0;

    for (unsigned i = 0; i < count; i++)
        n += words[i].len + RESP_MARK_BYTES + 2;
    return n;
}

static char *
print_words(char *p, const struct slice *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        p = resp_print_mark(p, '$', words[i].len);
        if (words[i].len > 0)
            memcpy(p, words[i].ptr, words[i].len);
        p += words[i].len;
        *p++ = '\r';
        *p++ = '\n';
    }
    return p;
}

void
resp_batch_tail(struct resp_batch *b, struct slice word)
{
    must(words_most(&word, 1) <= sizeof b->tail - b->tail_len);
    b->tail_len = (size_t)(print_words(b->tail + b->tail_len, &word, 1) - b->tail);
    b->tail_words++;
}

void
resp_batch_flush(struct resp_batch *b)
{
    if (b->elements > 0) {
        resp_command(b->out, b->word_count + b->element_words + b->tail_words);
        put_words(b->out, b->words, b->word_count);
        tool_out_put(b->out, b->bytes, b->len);
        tool_out_put(b->out, b->tail, b->tail_len);
    }
    if (b->later_len > 0)
        tool_out_put(b->out, b->later, b->later_len);
    b->elements = b->element_words = 0;
    b->len = b->later_len = 0;
}

/* put_alone: an element that has no room in a batch: the decoder has it in hand, and nobody needs a
 * copy. */
static void
put_alone(struct resp_batch *b, const struct slice *words, unsigned count)
{
    resp_command(b->out, b->word_count + count + b->tail_words);
    put_words(b->out, b->words, b->word_count);
    put_words(b->out, words, count);
    tool_out_put(b->out, b->tail, b->tail_len);
}

void
resp_batch_add(struct resp_batch *b, const struct slice *words, unsigned count)
{
    size_t most = words_most(words, count);

    if (b->elements == RESP_BATCH_ELEMENTS || most > sizeof b->bytes - b->len)
        resp_batch_flush(b);
    if (most > sizeof b->bytes) {
        put_alone(b, words, count);
        return;
    }
    b->len = (size_t)(print_words(b->bytes + b->len, words, count) - b->bytes);
    b->elements++;
    b->element_words += count;
}

void
resp_batch_later(struct resp_batch *b, const struct slice *words, unsigned count)
{
    size_t most = words_most(words, count) + RESP_MARK_BYTES;

    if (most > sizeof b->later - b->later_len)
        resp_batch_flush(b);
    if (most > sizeof b->later) {
        resp_put(b->out, words, count);
        return;
    }
    b->later_len +=
        (size_t)(resp_print_mark(b->later + b->later_len, '*', count) - (b->later + b->later_len));
    b->later_len = (size_t)(print_words(b->later + b->later_len, words, count) - b->later);
}
