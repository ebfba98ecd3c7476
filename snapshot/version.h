/* snapshot/version.h - the version of the whole project: of the server and of stillframe-rdb. */
#ifndef SNAPSHOT_VERSION_H
#define SNAPSHOT_VERSION_H

#define STILLFRAME_VERSION "0.1.0"

#endif
