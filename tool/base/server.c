/* tool/base/server.c - servers by name. */
#include "tool/base/server.h"

#include <stdio.h>

#include "snapshot/rdb/rdb.h"

enum {
    FUNCTIONS = SERVER_FUNCTIONS,
    SCRIPTS = SERVER_SCRIPTS,
    ENVELOPE = SERVER_ENVELOPE,
    MEMBERS = SERVER_MEMBERS,
    FIELDS = SERVER_FIELDS,
    CONSUMERS = SERVER_CONSUMERS,
    OURS = SERVER_OURS
};

static const struct server servers[] = {
#define SERVER(name, redis, valkey, types, traits) {name, redis, valkey, types, traits},
#include "tool/base/server.def"
#undef SERVER
};
enum { SERVERS = sizeof servers / sizeof *servers };

/* is_of_family: "redis-8.0" of "redis-8". */
static bool
is_of_family(const char *server, struct slice name)
{
    return name.len > 0 && strncmp(server, name.ptr, name.len) == 0 && server[name.len] == '.';
}

const struct server *
server_of(struct slice name)
{
    for (unsigned i = 0; i < SERVERS; i++)
        if (slice_is(name, servers[i].name))
            return &servers[i];
    for (unsigned i = 0; i < SERVERS; i++)
        if (is_of_family(servers[i].name, name))
            return &servers[i];
    return NULL;
}

void
server_unknown(const char *option, struct slice name)
{
    fprintf(stderr, "stillframe-rdb: --%s=%.*s: there is no such server; known are", option,
            slice_shown(name), name.len == 0 ? "" : name.ptr);
    for (unsigned i = 0; i < SERVERS; i++)
        fprintf(stderr, " %s", servers[i].name);
    fputc('\n', stderr);
}

int
server_version(const struct server *s)
{
    if (server_has(s, SERVER_OURS) || s->valkey == 0)
        return s->redis < RDB_VERSION_MAX ? s->redis : RDB_VERSION_MAX;
    return RDB_VERSION_VALKEY;
}
