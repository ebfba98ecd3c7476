/* tool/export/resp_names.h - under which name, and in which database, a key is written: --rename
 * and --db-map.
 * Threads: one. */
#ifndef TOOL_EXPORT_RESP_NAMES_H
#define TOOL_EXPORT_RESP_NAMES_H

#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "tool/base/options.h"

struct resp_rename {
    char *from, *to; /* [owned] */
    size_t from_len, to_len;
};
struct resp_db_map {
    uint64_t from, to;
};
struct resp_names {
    struct resp_rename *renames; /* [owned] */
    unsigned rename_count;
    struct resp_db_map *dbs; /* [owned] */
    unsigned db_count;
    struct text name; /* of the key in hand, if it is another */
};

/* resp_names_init: false: an option is wrong, which was reported on stderr.  resp_names_fini() in
 * either case. */
bool resp_names_init(struct resp_names *n, const struct tool_options *o);
void resp_names_fini(struct resp_names *n);
/* resp_names_key: the name to write; good until the next call.  ptr NULL: no memory. */
struct slice resp_names_key(struct resp_names *n, struct slice name);
uint64_t resp_names_db(const struct resp_names *n, uint64_t db);

#endif
