/* mm/base/keyhash.c - the seed of the hash. */
#include "mm/base/keyhash.h"

#include <sys/random.h>
#include <time.h>

uint64_t keyhash_seed;

void
keyhash_init(void)
{
    struct timespec now;

    if (getrandom(&keyhash_seed, sizeof keyhash_seed, GRND_NONBLOCK) ==
        (ssize_t)sizeof keyhash_seed)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    keyhash_seed =
        (uint64_t)now.tv_sec * 1000000007U ^ (uint64_t)now.tv_nsec << 32 ^ (uintptr_t)&now;
}
