/* server/exec/cmd_syntax.h - a command's arguments, from the text that a person reads to the
 * tree that COMMAND DOCS answers.
 *
 *   key             an argument.  Its type follows from its name (key, seconds, pattern, ...), or
 *                   is said: x:double, x:string, x:integer
 *   NX              a word as it is (pure-token), and so are the signs $ * = ~
 *   EX seconds      an argument behind such a word
 *   AUTH user pass  several
 *   [x]             may be left out
 *   x [x ...]       once or more often
 *   [x [x ...]]     any number
 *   a | b           one of them
 *   <a | b>         the same within a sequence
 *
 * Threads: [any]. */
#ifndef SERVER_EXEC_CMD_SYNTAX_H
#define SERVER_EXEC_CMD_SYNTAX_H

#include <stdbool.h>

#include "mm/base/slice.h"

enum { SYNTAX_NODES_MAX = 64 };

enum syntax_kind { SYNTAX_ARGUMENT, SYNTAX_TOKEN, SYNTAX_ONEOF, SYNTAX_BLOCK };

struct syntax_node {
    enum syntax_kind kind;
    struct slice name, token; /* token.len 0: none */
    bool optional, multiple, multiple_token, is_double, is_string, is_integer;
    struct syntax_node *child, *next; /* child: of ONEOF and BLOCK, the first */
};

struct syntax {
    struct syntax_node at[SYNTAX_NODES_MAX];
    unsigned count;
    bool failed; /* too many nodes, or brackets that do not match */
};

/* syntax_parse: the first argument, NULL if there is none.  The nodes stand in *s and point into
 * the text. */
struct syntax_node *syntax_parse(struct syntax *s, const char *text);
/* syntax_type: "key", "integer", "string", "pattern", "unix-time", "double", "pure-token", "oneof",
 * "block". */
const char *syntax_type(const struct syntax_node *n);

#endif
