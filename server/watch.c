/* server/watch.c - WATCH. */
#include "server/watch.h"

#include "server/client.h"

void
watch_forget(struct client *c)
{
    (void)c;
}

bool
watch_is_broken(const struct client *c)
{
    (void)c;
    return false;
}

unsigned
watch_count(const struct client *c)
{
    (void)c;
    return 0;
}

size_t
watch_memory(const struct client *c)
{
    (void)c;
    return 0;
}

void
watch_touch(struct db *db, struct slice key)
{
    (void)db;
    (void)key;
}

unsigned
watch_clients(void)
{
    return 0;
}

unsigned
watch_keys(void)
{
    return 0;
}
