/* tool/commands.c - the table of commands. */
#include "tool/commands.h"

#include "tool/check/check.h"
#include "tool/convert/convert.h"
#include "tool/diff/diff.h"
#include "tool/export/resp.h"
#include "tool/export/text.h"
#include "tool/look/look.h"
#include "tool/memory/memory.h"
#include "tool/report/report.h"
#include "tool/salvage/salvage.h"

const struct tool_command tool_commands[] = {
#define COMMAND(name, run, groups, least, most, arguments, about, examples, status)                \
    {name, run, TOOL_G_ALL | (groups), least, most, arguments, about, examples, status},
#include "tool/commands.def"
#undef COMMAND
};
const unsigned tool_command_count = sizeof tool_commands / sizeof *tool_commands;
