/* mm/base/keyhash.c - the seed of the hash. */
#include "mm/base/keyhash.h"

#include <sys/random.h>

#include "mm/base/os.h"

uint64_t keyhash_seed;

void
keyhash_init(void)
{
    if (getrandom(&keyhash_seed, sizeof keyhash_seed, GRND_NONBLOCK) ==
        (ssize_t)sizeof keyhash_seed)
        return;
    keyhash_seed = (uint64_t)os_unix_ns() * 1000000007U ^ (uintptr_t)&keyhash_seed;
}
