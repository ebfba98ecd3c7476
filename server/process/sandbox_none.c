/* server/process/sandbox_none.c - the server without libseccomp: no sandbox can be had, and who
 * requires one is refused. */
#include <errno.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "server/config/config.h"
#include "server/process/sandbox.h"

int
sandbox_start(void)
{
    if (config.sandbox == SANDBOX_REQUIRED) {
        log_line(LOG_WARNING, "This server was built without libseccomp");
        return -ENOSYS;
    }
    if (config.sandbox == SANDBOX_YES && !os_is_unikernel())
        log_line(LOG_NOTICE, "Sandbox: none: this server was built without libseccomp");
    return 0;
}

const char *
sandbox_status(void)
{
    return "off";
}
