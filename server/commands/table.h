/* server/commands/table.h - all commands of the server, as rows of one table (commands.def).
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_TABLE_H
#define SERVER_COMMANDS_TABLE_H

/* commands_init: give the table to what executes commands (cmd_table_init).  At start, before the
 * configuration is read (rename-command looks for names); again, and nothing is renamed any
 * more. */
void commands_init(void);

#endif
