/* server/commands/server/copy_args.h - what BGSAVE TO is asked for.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SERVER_COPY_ARGS_H
#define SERVER_COMMANDS_SERVER_COPY_ARGS_H

#include <stdbool.h>

#include "mm/base/slice.h"
#include "server/data/db/save_filter.h"

struct client;

struct copy_args {
    struct save_choice choice; /* it points into this struct, and to the words of the command */
    bool waits;
    int dbs[SAVE_PATTERNS_MAX];
    struct slice patterns[SAVE_PATTERNS_MAX];
};

/* copy_args_parse: from argument i on: [DB n | MATCH pattern | TYPE type | WAIT] ...  False: an
 * error was replied. */
bool copy_args_parse(struct client *c, int i, struct copy_args *ret);

#endif
