/* tool/salvage/scan_impl.h - what the scan's files share.
 * Threads: one. */
#ifndef TOOL_SALVAGE_SCAN_IMPL_H
#define TOOL_SALVAGE_SCAN_IMPL_H

#include "tool/salvage/scan.h"

/* items.c */
void note_failure(struct scan *s, int r);
/* ring_at: the items that are not yet believed, the oldest first; in_hand: behind them, the one
 * that is being read. */
struct item *ring_at(struct scan *s, unsigned i);
struct item *in_hand(struct scan *s);
/* settle_first, settle_all: the oldest one, all are believed.  doubt_all: SV1: none; until: those
 * that go on behind it are contradicted by what was found there; *ret_from: falls to where the
 * first of these begins. */
void settle_first(struct scan *s);
void settle_all(struct scan *s);
void doubt_all(struct scan *s, uint64_t until, uint64_t *ret_from);
/* take_back: of the section in hand, what was believed and goes on behind `until`, and DOUBTED keys
 * before.  0 or -errno. */
int take_back(struct scan *s, uint64_t until);
/* describe: a loss that is this item. */
void describe(const struct scan *s, const struct item *it, enum loss_kind kind, struct loss *l);

/* breaks.c */
/* begin_section: 0 or -ENOMEM; head, gap: as in struct section. */
int begin_section(struct scan *s, uint64_t from, unsigned head, uint64_t gap);
/* go_past: the item in hand cannot be read.  1: go on at *at; 0: that was all; or -errno.
 * search_on: the same, whatever it is. */
int go_past(struct scan *s, uint64_t *at);
int search_on(struct scan *s, uint64_t *at);

/* clip.c */
/* clip_walk: from where a run begins, over so many keys at most, and not behind `until`: the last
 * boundary, and what stands before it.  0 or -errno. */
struct clipped {
    uint64_t at, keys, expires;
};
int clip_walk(struct scan *s, uint64_t from, uint64_t keys, uint64_t until, struct clipped *ret);

static inline struct section *
section_in_hand(struct scan *s)
{
    return &s->sections[s->section_count - 1];
}

#endif
