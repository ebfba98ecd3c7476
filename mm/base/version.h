/* mm/base/version.h - the version of the whole project: of the server and of stillframe-rdb.
 * Threads: [any]. */
#ifndef MM_BASE_VERSION_H
#define MM_BASE_VERSION_H

#define STILLFRAME_VERSION "0.1.0"
/* the command level we answer for, as redis_version */
#define STILLFRAME_REDIS_VERSION "7.2.0"

#endif
