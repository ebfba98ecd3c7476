/* mm/base/move.c - what memmove() is linked to.  The contract is in move.h. */
#include "mm/base/move.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PIECE_BYTES = 16 }; /* one register, in and out */

static bool by_ourselves; /* [const after start] */

/* The names that the linker's --wrap gives them. */
void *move_linked(void *to, const void *from, size_t len) __asm__("__wrap_memmove");
void *move_of_the_system(void *to, const void *from, size_t len) __asm__("__real_memmove");

/* keep_loop: or the compiler would make a memmove() of the loop. */
static inline void
keep_loop(void)
{
    __asm__ volatile("" : : : "memory");
}

static inline void
move_piece(uint8_t *to, const uint8_t *from)
{
    uint8_t piece[PIECE_BYTES];

    memcpy(piece, from, sizeof piece);
    memcpy(to, piece, sizeof piece);
}

static void
move_to_front(uint8_t *to, const uint8_t *from, size_t len)
{
    for (; len >= PIECE_BYTES; len -= PIECE_BYTES) {
        move_piece(to, from);
        to += PIECE_BYTES;
        from += PIECE_BYTES;
        keep_loop();
    }
    for (; len > 0; len--) {
        *to++ = *from++;
        keep_loop();
    }
}

static void
move_to_back(uint8_t *to, const uint8_t *from, size_t len)
{
    for (; len >= PIECE_BYTES; len -= PIECE_BYTES) {
        move_piece(to + len - PIECE_BYTES, from + len - PIECE_BYTES);
        keep_loop();
    }
    while (len > 0) {
        len--;
        to[len] = from[len];
        keep_loop();
    }
}

void *
move_linked(void *to, const void *from, size_t len)
{
    uintptr_t ahead = (uintptr_t)to - (uintptr_t)from;

    if (__builtin_expect(!by_ourselves, 1))
        return move_of_the_system(to, from, len);
    if (ahead < len)
        move_to_back(to, from, len);
    else if (-ahead < len)
        move_to_front(to, from, len);
    else
        memcpy(to, from, len);
    return to;
}

void
move_by_ourselves(bool on)
{
    by_ourselves = on;
}
