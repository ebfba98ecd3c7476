/* mm/base/move.h - memmove() where the system's own cannot be trusted.
 *
 * OSv hands a move towards the front to its memcpy(), which on processors with SSSE3 copies the
 * last eight bytes once more, out of what it has written already: of moves by one or two bytes,
 * from 1 KiB on, the end is wrong.  Packed values are full of such moves.  So each memmove() of
 * ours, those that the compiler makes of loops among them, is linked to the one in move.c
 * (-Wl,--wrap=memmove), which goes on to the system's, or moves by itself where it was told to.
 * Threads: [any], but for move_by_ourselves(): before there are others. */
#ifndef MM_BASE_MOVE_H
#define MM_BASE_MOVE_H

#include <stdbool.h>

/* move_by_ourselves: from now on, or no longer. */
void move_by_ourselves(bool on);

#endif
