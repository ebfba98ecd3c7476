/* server/commands/cluster/cluster.c - what clients ask for and is not there: cluster mode. */
#include "server/exec/handlers.h"
#include "server/net/reply.h"

#include "server/commands/cluster/cluster.def"

/* CLUSTER subcommand ..., READONLY, READWRITE, ASKING -> an error. */
void
cmd_cluster(struct client *c)
{
    reply_error(c, "ERR This instance has cluster support disabled");
}
