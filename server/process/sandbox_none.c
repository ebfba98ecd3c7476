/* server/process/sandbox_none.c - the server without libseccomp: the parameter takes nothing but
 * "no" (config.def). */
#include "server/process/sandbox.h"

int
sandbox_start(void)
{
    return 0;
}

const char *
sandbox_status(void)
{
    return "off";
}
