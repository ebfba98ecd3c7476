/* server/config/config_machine.h - limits that fit a machine of one program (mm/base/room.h).
 *
 * There memory that runs out ends the machine, so what elsewhere has no limit has one by default.
 * Of what is free when the program starts, in eighths:
 *
 *     5   maxmemory: data, tables, buffers
 *     1   snapshot-memory-limit
 *     1   holes between what is used: nobody counts them (mem_fragmentation_bytes)
 *     1   the system
 *
 * and of maxmemory's share, two eighths at most are the clients'.  A value from the user takes the
 * place of such a default as of any other.
 * Threads: mutator. */
#ifndef SERVER_CONFIG_CONFIG_MACHINE_H
#define SERVER_CONFIG_CONFIG_MACHINE_H

#include "server/config/config.h"

/* config_fit_machine: the defaults of a machine of one program, in place of the table's; elsewhere
 * nothing. */
void config_fit_machine(struct config *defaults);
/* config_machine_system_bytes: the share of the system, which is none of maxmemory's; 0
 * elsewhere. */
size_t config_machine_system_bytes(void);
/* config_log_machine: what the machine has and what the limits are, and a warning if they do not
 * fit it; again when CONFIG SET changes that.  Elsewhere nothing. */
void config_log_machine(void);

#endif
