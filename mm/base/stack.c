/* mm/base/stack.c - limits of stacks, raised where they are too low. */
#include "mm/base/stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#include "mm/base/os.h"

/* raise_threads: what the C library took from the limit when the process began.  Looked up: not
 * every system has these two.  Where it cannot be said the default holds. */
static void
raise_threads(void)
{
    typedef int (*default_fn)(pthread_attr_t *);
    typedef int (*set_default_fn)(const pthread_attr_t *);
    default_fn get = (default_fn)dlsym(RTLD_DEFAULT, "pthread_getattr_default_np");
    set_default_fn set = (set_default_fn)dlsym(RTLD_DEFAULT, "pthread_setattr_default_np");
    pthread_attr_t attributes;
    size_t bytes;

    if (get == NULL || set == NULL || get(&attributes) != 0)
        return;
    if (pthread_attr_getstacksize(&attributes, &bytes) == 0 && bytes < STACK_THREAD_BYTES &&
        pthread_attr_setstacksize(&attributes, STACK_THREAD_BYTES) == 0)
        (void)set(&attributes);
    (void)pthread_attr_destroy(&attributes);
}

/* The system looks at the limit when the stack grows, not when the process begins. */
int
stack_init(size_t *ret_limit_bytes)
{
    struct rlimit lim, more;

    if (os_is_unikernel() || getrlimit(RLIMIT_STACK, &lim) < 0)
        return 0;
    raise_threads();
    if (lim.rlim_cur >= STACK_BYTES)
        return 0;
    more.rlim_cur = STACK_BYTES;
    more.rlim_max = lim.rlim_max > STACK_BYTES ? lim.rlim_max : STACK_BYTES;
    if (setrlimit(RLIMIT_STACK, &more) == 0)
        return 0;
    *ret_limit_bytes = (size_t)lim.rlim_max;
    return -errno;
}
