/* server/persist/persist_config.c - what CONFIG SET changes while a save runs and that save does
 * not take over: said in the log. */
#include <limits.h>
#include <string.h>

#include "mm/base/keyhash.h"
#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/persist/persist_impl.h"

/* The parameters that a save takes as they are when it begins.  All others act at once. */
static const char *const at_begin[] = {"dbfilename",      "dir",
                                       "rdbcompression",  "rdb-compression-level",
                                       "rdb-version",     "snapshot-threads",
                                       "snapshot-retain", "snapshot-verify"};

enum { AT_BEGIN = sizeof at_begin / sizeof at_begin[0] };

static uint64_t values[AT_BEGIN]; /* their hashes: what was said of them is not said again */

static uint64_t
value_of(const char *name)
{
    char text[PATH_MAX];

    config_value(name, text, sizeof text);
    return keyhash((struct slice){text, strlen(text)});
}

void
persist_config_changed(void)
{
    for (int i = 0; i < AT_BEGIN; i++) {
        uint64_t now = value_of(at_begin[i]);

        if (now != values[i] && persist.running)
            log_line(LOG_NOTICE,
                     "CONFIG SET %s: from the next save on; the one that runs goes on as it began",
                     at_begin[i]);
        values[i] = now;
    }
}
