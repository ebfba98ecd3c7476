/* tool/salvage/repair.h - which bytes were damaged, by the checksum alone.
 *
 * A CRC is linear: what the damage changed in the file (bytes XORed onto it) changes the CRC by a
 * number that depends on these bytes and on their distance from the end, and on nothing else.  So
 * the difference between the two checksums, carried back byte by byte, becomes the damage itself at
 * the place where it happened: a number that fills no more bytes than were damaged.  That is how
 * cyclic codes correct bursts ("error trapping": Rudolph and Mitchell, 1964; Kasami, 1964).
 *
 * For another damage than such a burst a place can fit by chance: with probability
 * length * 256^burst / 2^64.  The burst that is tried is the longest for which this stays below
 * 2^-17: two bytes in a file of 1 GB, four in a small one.  One byte is always tried.
 * Threads: one. */
#ifndef TOOL_SALVAGE_REPAIR_H
#define TOOL_SALVAGE_REPAIR_H

#include <stdbool.h>

#include "tool/salvage/flat.h"

enum repair_result {
    REPAIR_NEEDLESS,  /* the checksum is right */
    REPAIR_NONE,      /* there is none, or no place fits */
    REPAIR_AMBIGUOUS, /* more than one place fits */
    REPAIR_FOUND
};

/* repair_find: where, of a file that is whole in length and has a checksum.  *ret, if it is found,
 * or -errno.  Progress is called now and then with how much of the file was done, if not NULL.
 * Cost: reading it, and 2 ns a byte of it. */
int repair_find(struct flat *f, void (*progress)(void *ctx, uint64_t done), void *ctx,
                struct flat_patch *ret);
/* repair_find_in: the same of numbers alone: difference: of the checksum of so many bytes and the
 * one that they should have.  A place at `bytes` is in the checksum itself. */
enum repair_result repair_find_in(uint64_t bytes, uint64_t difference, struct flat_patch *ret);
/* repair_burst_bytes: the longest burst that is tried. */
unsigned repair_burst_bytes(uint64_t bytes);

#endif
