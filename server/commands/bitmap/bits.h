/* server/commands/bitmap/bits.h - what the commands on bits share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_BITMAP_BITS_H
#define SERVER_COMMANDS_BITMAP_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct client;

/* arg_bit_offset: argument i as the number of a bit within the longest string; with width, "#n" is
 * n times that wide.  False, and an error was replied. */
bool arg_bit_offset(struct client *c, int i, unsigned width, uint64_t *ret);

#endif
