/* server/commands/connection/client_name.h - names that a client gives itself (CLIENT SETNAME,
 * SETINFO, HELLO SETNAME).
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_CONNECTION_CLIENT_NAME_H
#define SERVER_COMMANDS_CONNECTION_CLIENT_NAME_H

#include <stdbool.h>

#include "mm/base/slice.h"

struct client;

/* client_name_is_good: false: it holds a blank or an odd character; the error is replied and says
 * `what`. */
bool client_name_is_good(struct client *c, struct slice name, const char *what);
/* client_set_name: *field becomes a copy of name (NULL when that is empty).  False: it holds a
 * blank or an odd character, or there is no memory; the error is replied and says `what`. */
bool client_set_name(struct client *c, char **field, struct slice name, const char *what);

/* client_type_number: the type (enum output_class, or OUTPUT_CLASSES: master) that argument i
 * names; -1, and an error was replied: none. */
int client_type_number(struct client *c, int i);

#endif
