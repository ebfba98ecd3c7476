/* mm/base/stack.h - how deep the process may call: stacks that are large enough, whatever limit it
 * was started with (ulimit -s, RLIMIT_STACK).
 * Threads: the first one, before it starts others. */
#ifndef MM_BASE_STACK_H
#define MM_BASE_STACK_H

#include <stddef.h>

/* The deepest of all are scripts: string.gsub() whose function calls it again takes 8.6 KB a level,
 * and Lua allows 190 levels.  1.5 MiB are not enough for that, 2 MiB are. */
enum { STACK_BYTES = 4 << 20, STACK_THREAD_BYTES = 1 << 20 };

/* stack_init: the calling thread's stack may become STACK_BYTES large, and the stack of a thread
 * that is made from now on has STACK_THREAD_BYTES, at least.  0; or -errno, with the limit that
 * cannot be raised in *ret_limit_bytes.  A limit that nobody can tell is none. */
int stack_init(size_t *ret_limit_bytes);

#endif
