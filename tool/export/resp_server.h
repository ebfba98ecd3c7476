/* tool/export/resp_server.h - what a server understands: --for.
 * Threads: [any]. */
#ifndef TOOL_EXPORT_RESP_SERVER_H
#define TOOL_EXPORT_RESP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct resp_server {
    const char *name; /* "redis-7.0" */
    int version;      /* of RDB, the last that it reads */
};

/* resp_server_of: by its name, one of options.def; NULL: "any", which understands everything. */
const struct resp_server *resp_server_of(const char *name);
/* resp_server_takes: RESTORE with a payload of that type from a file of that version. */
bool resp_server_takes(const struct resp_server *s, int file_version, uint8_t type);
/* functions, and counters of streams and their groups; HPEXPIREAT */
bool resp_server_has_functions(const struct resp_server *s);
bool resp_server_has_counters(const struct resp_server *s);
bool resp_server_has_field_expiry(const struct resp_server *s);

#endif
