/* tool/keys/ledger.h - which keys of a file were selected, and their facts, from one pass for the
 * next: written once from the front, then read once.
 *
 * A selected key takes one byte for the stretch of others before it, and some ten for its facts; up
 * to LEDGER_PIECE_BYTES stay in memory, more goes into a temporary file without a name.
 * Threads: one. */
#ifndef TOOL_KEYS_LEDGER_H
#define TOOL_KEYS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "tool/keys/facts.h"

enum { LEDGER_PIECE_BYTES = 1 << 20 };

struct ledger {
    uint8_t *piece; /* [owned] */
    uint32_t at, len;
    int fd; /* -1: none was needed */
    uint64_t file_bytes, file_at;
    bool with_facts;
    uint64_t others; /* written: since the last selected key; read: up to the next one */
    bool is_over;    /* read: no selected key follows */
};

/* ledger_open: 0 or -ENOMEM.  Everything below: 0 or -errno. */
int ledger_open(struct ledger *l, bool with_facts);
void ledger_close(struct ledger *l);
/* ledger_pass_over: a key that is not selected.  ledger_add: one that is. */
static inline void
ledger_pass_over(struct ledger *l)
{
    l->others++;
}
int ledger_add(struct ledger *l, const struct key_facts *f);
/* ledger_rewind: it is to be read.  ledger_take: the next key: is it selected?  Then *ret are its
 * facts, but for `key`, if there are any. */
int ledger_rewind(struct ledger *l);
int ledger_take(struct ledger *l, bool *ret_is_selected, struct key_facts *ret);

#endif
