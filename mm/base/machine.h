/* mm/base/machine.h - what a machine has to be.  The Makefile puts it before everything that is
 * compiled, so that another machine's first error is the reason.  It needs no other header.
 * Threads: none. */
#ifndef MM_BASE_MACHINE_H
#define MM_BASE_MACHINE_H

#if !defined(__SIZEOF_POINTER__) || !defined(__BYTE_ORDER__)
#error "Stillframe is built with gcc or clang"
#endif

/* Tables hold tags in the upper bits of pointers, counts and sizes are 64 bits wide, and the arena
 * is reserved at once, as large as memory may ever become. */
#if __SIZEOF_POINTER__ != 8 || __SIZEOF_LONG__ != 8
#error "Stillframe needs a 64-bit machine, on which pointers and long have 8 bytes"
#endif

/* Dumps, packed values and the wire forms of DUMP are little-endian; integers are stored to and
 * loaded from them as they lie in memory. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Stillframe needs a little-endian machine: numbers in its files and values are not swapped"
#endif

/* The flags that the threads of a save and the event loop share are words of the processor. */
#if __GCC_ATOMIC_LLONG_LOCK_FREE != 2 || __GCC_ATOMIC_POINTER_LOCK_FREE != 2
#error "Stillframe needs 64-bit atomic loads and stores without a lock"
#endif

#endif
