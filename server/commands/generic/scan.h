/* server/commands/generic/scan.h - what HSCAN, SSCAN and ZSCAN have in common.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_GENERIC_SCAN_H
#define SERVER_COMMANDS_GENERIC_SCAN_H

#include "server/data/db/type.h"

struct client;

/* scan_elements: answer a step of a walk over the value of argument 1, which must be of this type:
 * key cursor [MATCH pattern] [COUNT count] -> the next cursor, and elements. */
void scan_elements(struct client *c, enum value_type type);

#endif
