/* server/exec/changed.c - changes of whole databases: see changed.h. */
#include "server/exec/changed.h"

#include "server/exec/effect.h"
#include "server/exec/keywait.h"

static void
flush(int index)
{
    must(db_select(index) != NULL);
    key_event_flushed(index); /* while its keys can still be looked at */
    db_state.dirty += db_flush(index);
    keywait_scan(index);
    effect_as_sent(); /* the count may be set back, or be none */
}

void
changed_flush(int index)
{
    flush(index);
    key_event_emptied();
}

void
changed_flush_all(void)
{
    for (int i = 0; i < db_count(); i++)
        flush(i);
    key_event_emptied();
}

void
changed_swap(int a, int b)
{
    must(db_select(a) != NULL && db_select(b) != NULL);
    if (a != b) { /* nothing changes for those who watch, otherwise */
        key_event_swapped(a, b);
        db_swap(a, b);
        keywait_scan(a);
        keywait_scan(b);
        key_event_emptied(); /* who caches keys knows no databases */
    }
    db_state.dirty++;
}
