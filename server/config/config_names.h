/* server/config/config_names.h - the names of an ENUM parameter's values.
 * Threads: any; the lists are constant. */
#ifndef SERVER_CONFIG_CONFIG_NAMES_H
#define SERVER_CONFIG_CONFIG_NAMES_H

#include <stdint.h>

/* A list ends with a NULL name. */
struct config_name {
    const char *name;
    int64_t value;
};

#endif
