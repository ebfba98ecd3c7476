/* server/persist/error_name.c - names of errors.  The contract is in error_name.h. */
#include "server/persist/error_name.h"

#include <errno.h>
#include <stddef.h>

static const char *const names[] = {
#define E(name) [name] = #name,
#include "server/persist/error_name.def"
#undef E
};

const char *
error_name(int error)
{
    if (error < 0 || (size_t)error >= sizeof names / sizeof names[0])
        return NULL;
    return names[error];
}
