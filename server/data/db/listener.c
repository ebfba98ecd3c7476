/* server/data/db/listener.c - the listener, and what it wants to hear. */
#include "server/data/db/listener.h"

#include "mm/base/must.h"
#include "server/data/db/db_impl.h"

const struct db_listener *db_listener;
unsigned key_event_listeners, key_waiters;
int64_t db_held_until_ms;
bool db_held_for_save;

void
db_listen(const struct db_listener *listener)
{
    must(listener->event != NULL && listener->changed != NULL);
    must(listener->field_gone != NULL);
    must(listener->ready != NULL && listener->gone != NULL && listener->is_writing != NULL);
    db_listener = listener;
}
