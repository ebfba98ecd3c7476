/* server/scripts/function.h - functions that clients keep in libraries of Lua, and call by name.
 *
 *   FN1  A library is its text, which says its name in its first line ("#!lua name=mylib") and
 *        registers its functions when it is loaded.  The text is what is saved
 *        (data/db/carried.h): the two change together or not at all, so a cut finds either the
 *        library from before or the one from after.
 *   FN2  While a library is loaded it finds `redis` alone, and of that what registers and logs.
 *   FN3  No two libraries have one name, and no two functions, whatever their case.
 *   FN4  A library of a dump that cannot be used is kept as it came, with a line in the log: it has
 *        no functions, and is saved again.
 *
 * Threads: mutator. */
#ifndef SERVER_SCRIPTS_FUNCTION_H
#define SERVER_SCRIPTS_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;
struct function;
struct library;

/* function_find: by name, any case.  NULL: there is none. */
const struct function *function_find(struct slice name);
/* function_run: execute it, and reply what it returns.  c's words are FCALL's; its keys begin at
 * word 3 and are key_count; what follows is ARGV. */
void function_run(struct client *c, const struct function *f, int key_count, bool readonly);
/* function_running: does a function run, so that others are heard?  Then since when, and what: its
 * name, and the words by which it was called. */
struct function_call {
    const char *name;
    const struct client *caller;
    int64_t ms;
};
bool function_running(struct function_call *ret);

/* ---- libraries: true; or false, and why, which was empty, says it: nothing has changed ---- */

/* What is wrong, as a reply; empty: nothing is. */
struct library_error {
    char text[512];
};

/* library_load: *ret_name is its name, and stands until libraries change again. */
bool library_load(struct slice code, bool replace, struct library_error *why,
                  struct slice *ret_name);
bool library_delete(struct slice name, struct library_error *why);
/* library_flush: there are none any more; their Lua state goes, too. */
bool library_flush(struct library_error *why);

/* library_restore: those of a payload of FUNCTION DUMP, all or none. */
enum library_policy { LIBRARY_APPEND, LIBRARY_REPLACE, LIBRARY_FLUSH };
bool library_restore(struct slice payload, enum library_policy policy, struct library_error *why);

/* libraries_read: a dump was loaded: what there is now are the libraries whose texts are carried;
 * the log says which cannot be used (FN4). */
void libraries_read(void);

/* ---- what there is ---- */

struct library_info {
    struct slice name, code;
    const struct library *library; /* NULL: it cannot be used */
};
struct function_info {
    struct slice name, description;
    bool has_description;
    unsigned flags; /* enum script_flag */
};
/* libraries_each: in the order in which they came. */
void libraries_each(void (*fn)(void *ctx, const struct library_info *l), void *ctx);
/* library_functions: how many there are.
 * library_each_function: in the order in which they were registered. */
size_t library_functions(const struct library *l);
void library_each_function(const struct library *l,
                           void (*fn)(void *ctx, const struct function_info *f), void *ctx);

struct function_figures {
    size_t vm_bytes;    /* of the Lua state */
    size_t cache_bytes; /* of texts, and what is kept of functions beside it */
    size_t libraries, functions;
    size_t unusable, unusable_bytes; /* libraries of FN4, and their texts */
};
void function_figures(struct function_figures *ret);

#endif
