/* tool/base/server.h - servers that a dump may be for, by name (server.def).
 * Threads: [any]. */
#ifndef TOOL_BASE_SERVER_H
#define TOOL_BASE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

enum server_trait {
    SERVER_FUNCTIONS = 1 << 0, /* it takes function libraries */
    SERVER_SCRIPTS = 1 << 1,   /* it keeps scripts for EVALSHA (AUX field lua) */
    SERVER_ENVELOPE = 1 << 2,  /* it reads an RDB that is compressed as a whole by LZ4 */
    SERVER_MEMBERS = 1 << 3,   /* members may expire on their own, as KeyDB writes it */
    SERVER_FIELDS = 1 << 4,    /* fields of hashes may expire: HPEXPIREAT */
    SERVER_CONSUMERS = 1 << 5, /* XGROUP CREATECONSUMER */
    SERVER_OURS = 1 << 6       /* what the server here does */
};

struct server {
    const char *name;
    int redis, valkey;
    uint8_t types;
    unsigned traits;
};

/* server_of: by its name, or that of its family, "valkey-8": the oldest of it.  NULL: none. */
const struct server *server_of(struct slice name);
/* server_unknown: say on stderr that an option has none of that name, and which there are. */
void server_unknown(const char *option, struct slice name);
/* server_version: of a dump that is written for it: the newest that it reads and that can be
 * written here. */
int server_version(const struct server *s);

static inline bool
server_has(const struct server *s, enum server_trait trait)
{
    return (s->traits & trait) != 0;
}

#endif
