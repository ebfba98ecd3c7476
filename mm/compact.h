/* mm/compact.h - emptying slabs with little in them, by moving what is in them elsewhere.
 *
 * mm knows which slabs to empty, not who points to what is in them: the owner of the data walks
 * through it and asks mm_move() at each pointer.  One pass:
 *
 *     mm_compact_begin() -> mm_compact_mark() until it is false -> mm_move() of everything
 *         -> mm_compact_leave() until it is false
 *
 *   CP1 A slab that is to be emptied takes no allocation; it goes when nothing is left in it.
 *       mm_compact_leave() makes a slab like any other of one in which something has stayed.
 *   CP2 What moves is copied into a slot of a fuller slab, and its old slot freed as by mm_free():
 *       while a cut is open it is retired.  So a pass may stand still for the time of a cut, or go
 *       on.
 *
 * Threads: mutator. */
#ifndef MM_COMPACT_H
#define MM_COMPACT_H

#include <stdbool.h>
#include <stddef.h>

/* mm_compact_gain: about how many bytes a pass would give back.  O(size classes) */
size_t mm_compact_gain(void);
/* mm_compact_begin: give back what is empty, and begin a pass.  False: there is nothing more to
 * gain, or one has begun already. */
bool mm_compact_begin(void);
/* mm_compact_mark: choose the next slabs, `slabs` at most.  True: call again. */
bool mm_compact_mark(unsigned slabs);
/* mm_compact_leave: the pass is over, or is broken off: `slabs`, at most, of those in which
 * something has stayed are filled again like any other.  True: call again. */
bool mm_compact_leave(unsigned slabs);
/* mm_compact_end: the whole of that at once.  O(slabs in which something has stayed) */
void mm_compact_end(void);
bool mm_compact_is_open(void);
/* mm_compact_left: of the slabs that a pass has chosen, the bytes of those in which something still
 * is.  O(size classes) */
size_t mm_compact_left(void);
/* mm_compact_begin_all: for tests: begin a pass in which every slab leaves whose slots have so many
 * bytes, from the least to the most: whatever can move does. */
void mm_compact_begin_all(size_t least, size_t most);
/* mm_used_bytes: of the blocks in use, to which mm_compact_gain() compares. */
size_t mm_used_bytes(void);

/* mm_wants_move: may mm_move() move p?  For those who have to find out something before it is
 * gone. */
bool mm_wants_move(const void *p);
/* mm_move: p, as mm_alloc() returned it, or where it stands now: the caller stores that wherever p
 * was.  p itself: it need not move, or there is no room for it.
 * Cost    a load, or a copy of at most 32 KiB. */
const void *mm_move(const void *p);

#endif
