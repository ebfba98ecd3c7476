/* server/modules.c - see modules.h. */
#include "server/modules.h"

#include "server/commands/server/readers.h"
#include "server/commands/table.h"
#include "server/exec/acl.h"
#include "server/exec/db_listener.h"
#include "server/exec/exec.h"
#include "server/scripts/script.h"
#include "server/types.h"

void
modules_init(void)
{
    types_init();
    commands_init();
    exec_init();
    acl_config_init();
    scripts_init();
    readers_init();
    db_listener_init();
}
