/* tool/export/resp_server.c - what each server understands. */
#include "tool/export/resp_server.h"

#include <stddef.h>
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb.h"
#include "tool/export/resp_payload.h"

static const struct resp_server servers[] = {
    {"redis-5.0", 9},  {"redis-6.2", 9},   {"redis-7.0", 10}, {"redis-7.2", 11},
    {"redis-7.4", 12}, {"valkey-7.2", 11}, {"valkey-8", 11},  {"valkey-9", 80},
};

const struct resp_server *
resp_server_of(const char *name)
{
    if (strcmp(name, "any") == 0)
        return NULL;
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (strcmp(servers[i].name, name) == 0)
            return &servers[i];
    never("a server that the table of options has, and this one not");
}

bool
resp_server_takes(const struct resp_server *s, int file_version, uint8_t type)
{
    int version = resp_payload_version(file_version, type);

    /* Valkey takes no payload that says to be of Redis's versions since the two parted, and Redis
     * none of a number as high as Valkey's */
    if (s == NULL)
        return true;
    if (s->version >= RDB_VERSION_VALKEY)
        return version != RDB_VERSION_MAX;
    return version <= s->version;
}

bool
resp_server_has_functions(const struct resp_server *s)
{
    return s == NULL || s->version >= RDB_FUNCTIONS_FROM_VERSION;
}

bool
resp_server_has_counters(const struct resp_server *s)
{
    return s == NULL || s->version >= RDB_LISTPACKS_FROM_VERSION;
}

bool
resp_server_has_field_expiry(const struct resp_server *s)
{
    return s == NULL || s->version >= RDB_VERSION_MAX;
}
