/* server/commands/table.c - the command table: every row of every group's .def.
 *
 * It stands above the groups, for it names their handlers; what executes commands stands below
 * them and is given the table at start. */
#include "server/commands/table.h"

#include <stddef.h>

#include "server/exec/cmd.h"
#include "server/exec/handlers.h"

#include "server/commands/commands.def"
#undef CMD
#undef SUB

#define F(flag)     CMD_##flag
#define A(category) ACL_##category
#define CMD(name_, handler_, arity_, flags_, acl_, keys_, group_, since_, cost_, tips_, args_,     \
            summary_)                                                                              \
    {.name = name_,                                                                                \
     .handler = handler_,                                                                          \
     .arity = arity_,                                                                              \
     .flags = flags_,                                                                              \
     .acl_categories = acl_,                                                                       \
     keys_,                                                                                        \
     .group = group_,                                                                              \
     .since = since_,                                                                              \
     .complexity = cost_,                                                                          \
     .tips = tips_,                                                                                \
     .args = args_,                                                                                \
     .summary = summary_},
#define SUB(...)
static struct cmd commands[] = {
#include "server/commands/commands.def"
};
#undef CMD
#undef SUB

#define CMD(...)
#define SUB(parent_, name_, handler_, arity_, flags_, acl_, keys_, group_, since_, cost_, tips_,   \
            args_, summary_)                                                                       \
    {.name = name_,                                                                                \
     .parent = parent_,                                                                            \
     .handler = handler_,                                                                          \
     .arity = arity_,                                                                              \
     .flags = flags_,                                                                              \
     .acl_categories = acl_,                                                                       \
     keys_,                                                                                        \
     .group = group_,                                                                              \
     .since = since_,                                                                              \
     .complexity = cost_,                                                                          \
     .tips = tips_,                                                                                \
     .args = args_,                                                                                \
     .summary = summary_},
static struct cmd subcommands[] = {
#include "server/commands/commands.def"
};
#undef CMD
#undef SUB

void
commands_init(void)
{
    cmd_table_init(commands, sizeof commands / sizeof commands[0], subcommands,
                   sizeof subcommands / sizeof subcommands[0]);
}
