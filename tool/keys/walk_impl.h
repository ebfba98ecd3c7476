/* tool/keys/walk_impl.h - a walk's own state.
 * Threads: one. */
#ifndef TOOL_KEYS_WALK_IMPL_H
#define TOOL_KEYS_WALK_IMPL_H

#include "tool/keys/ledger.h"
#include "tool/keys/measure.h"
#include "tool/keys/walk.h"

/* What a pass over the file is for. */
enum walk_pass {
    WALK_MEASURES, /* the first of two: the command is told nothing */
    WALK_FACTS,    /* keys and their facts */
    WALK_VALUES    /* keys and their values; what comes from a ledger was selected before */
};

struct walk_state {
    struct tool_input *input; /* open while its passes run */
    struct rdb_source *src;
    enum walk_pass pass;
    bool with_ledger;    /* WALK_VALUES: it says which keys are selected */
    bool with_measure;   /* WALK_FACTS: facts are wanted, or asked by the selection */
    bool is_key_delayed; /* WALK_FACTS: `key` is told behind the value, when it is selected */
    struct rdb_key key;  /* in hand */
    bool is_taken;       /* it is selected, as far as is known */
    struct measure measure;
    struct ledger ledger;
    int ledger_error;        /* 0 or -errno */
    uint64_t measured, most; /* WALK_MEASURES: keys selected; that may be */
    struct key_facts facts;  /* WALK_VALUES: of the key in hand */
    bool is_over;
};

/* walk_events.c: what the decoder gets for this pass. */
void walk_events_for(const struct walk *w, struct rdb_events *ret);

#endif
