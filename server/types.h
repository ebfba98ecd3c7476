/* server/types.h - the data types that this server has.
 * Threads: mutator. */
#ifndef SERVER_TYPES_H
#define SERVER_TYPES_H

/* types_init: register each type's table (server/data/db/type.h).  Before db_init(); again is
 * harmless. */
void types_init(void);

#endif
