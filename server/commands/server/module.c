/* server/commands/server/module.c - what clients ask for and is not there: modules. */
#include "mm/base/log.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

/* MODULE LIST -> none. */
void
cmd_module_list(struct client *c)
{
    reply_array(c, 0);
}

/* MODULE LOAD path ..., MODULE LOADEX path ... -> an error, where enable-module-command lets it
 * come so far. */
void
cmd_module_load(struct client *c)
{
    log_line(LOG_WARNING, "Module %.*s was not loaded: modules are not supported",
             (int)(c->argv[2].len < 512 ? c->argv[2].len : 512), c->argv[2].ptr);
    reply_error(c, "ERR Error loading the extension. Please check the server logs.");
}

/* MODULE UNLOAD name -> an error. */
void
cmd_module_unload(struct client *c)
{
    reply_error(c, "ERR Error unloading module: no such module with that name");
}
