/* server/exec/handlers.h - a row of a command table as the declaration of its handler.
 *
 * A file of handlers includes this and behind it the .def of its group (commands.def says what a
 * row holds): so a handler that no row names, or whose name is spelled otherwise there, is a
 * warning of the compiler.  The macros stay defined; what makes something else of the rows
 * undefines them.
 * Threads: [any]. */
#ifndef SERVER_EXEC_HANDLERS_H
#define SERVER_EXEC_HANDLERS_H

struct client;

#define CMD(name, handler, ...)         void handler(struct client *c);
#define SUB(parent, name, handler, ...) void handler(struct client *c);

#endif
