/* server/scripts/library.h - function libraries as this folder keeps them: sets of them, one of
 * which is the one that clients call.
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_LIBRARY_H
#define SERVER_SCRIPTS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/nametab.h"
#include "mm/base/slice.h"

struct library_error;

enum { FUNCTION_NAME_MAX = 512 };

struct function {
    struct nametab_node by_name; /* first; in lower case */
    struct library *library;
    struct function *next; /* of the library */
    unsigned flags;        /* enum script_flag */
    int function;          /* in the registry of the functions' Lua state */
    size_t bytes;          /* charged for it (engine.h) */
    const char *name;      /* as it was registered; NUL-terminated */
    struct slice description;
    bool has_description;
    char text[];
};

struct library {
    struct nametab_node by_name; /* first */
    struct function *first, **end;
    size_t count, bytes; /* charged for it */
    struct slice code;   /* its text; ptr NULL: it is kept by carried.h alone */
    char name[];
};

/* What is being made, or what there is. */
struct library_set {
    struct nametab libraries, functions;
    size_t bytes, code_bytes; /* charged; of texts alone */
};

/* function_lower: the name in lower case. */
void function_lower(char *to, struct slice name);
/* library_set_find, library_set_function: by name, a function's in any case.  NULL: there is
 * none. */
struct library *library_set_find(const struct library_set *set, struct slice name);
struct function *library_set_function(const struct library_set *set, struct slice name);

/* library_fail: this is what is wrong, as a reply. */
void library_fail(struct library_error *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* library_begin: with the name that its text says, and no functions.  The text stays as long as the
 * library's `code` has it.  NULL: why says what is wrong, as a reply.
 * library_fill: the text is run, which registers functions; limit: so long may that take.  false:
 * why says what is wrong, and the library is gone. */
struct library *library_begin(struct library_set *set, struct slice code,
                              struct library_error *why);
bool library_fill(struct library_set *set, struct library *l, int64_t limit_ms,
                  struct library_error *why);
/* library_drop: it goes, with its functions, out of its set. */
void library_drop(struct library_set *set, struct library *l);

#endif
