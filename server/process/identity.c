/* server/process/identity.c - which run of the server this is. */
#include "server/process/identity.h"

#include <fcntl.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/os.h"

struct identity identity;

void
identity_draw(char ret[41])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[20] = {0};
    uint64_t x = (uint64_t)os_monotonic_ns() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32 ^
                 (uint64_t)clock_now.us;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
        log_line(LOG_VERBOSE, "No /dev/urandom: forty digits are made from the clock");
    if (fd >= 0)
        close(fd);
    for (unsigned i = 0; i < sizeof bytes; i++) {
        x ^= x >> 29;
        x *= 0xbf58476d1ce4e5b9u;
        bytes[i] ^= (unsigned char)(x >> 56);
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * sizeof bytes] = '\0';
}

void
identity_init(const char *executable)
{
    clock_refresh();
    identity.start_ms = clock_now.ms;
    identity.executable = executable;
    identity_draw(identity.run_id);
}

void
identity_renew(void)
{
    identity_draw(identity.run_id);
}
