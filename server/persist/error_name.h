/* server/persist/error_name.h - the short name of an error of the system, "ENOSPC", that operators
 * look for.  The C library has a call for it, but not everywhere: on OSv, which has none, the
 * machine ends where it is called.
 * Threads: [any]. */
#ifndef SERVER_PERSIST_ERROR_NAME_H
#define SERVER_PERSIST_ERROR_NAME_H

/* error_name: of a positive errno; NULL: it has none. */
const char *error_name(int error);

#endif
