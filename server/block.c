/* server/block.c - clients that wait. */
#include "server/block.h"

#include <errno.h>

#include "server/client.h"

int
block_client(struct client *c, struct block *b)
{
    (void)c;
    (void)b;
    return -ENOMEM;
}

void
block_finish(struct client *c)
{
    (void)c;
}

bool
block_end(struct client *c, enum block_end why)
{
    (void)c;
    (void)why;
    return false;
}

void
block_run_deadlines(void)
{
}

int64_t
block_next_ms(void)
{
    return INT64_MAX;
}

unsigned
block_count(void)
{
    return 0;
}
