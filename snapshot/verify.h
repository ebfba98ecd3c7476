/* snapshot/verify.h - read a dump that was just written back, before it takes the old one's place.
 *
 * All of it is decoded, as for loading: compressed strings are taken apart, small forms walked
 * through, the checksum compared; nothing is kept of it.  What the decoder only finds odd, and
 * would mend (rdb_finding.def), is an error here: the server does not write such files.
 * Memory: the decoder's (rdb_decode()), and a window of the page cache: what was read is dropped.
 * Threads: writer. */
#ifndef SNAPSHOT_VERIFY_H
#define SNAPSHOT_VERIFY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verify_options {
    const char *path;
    uint64_t keys;    /* that were written */
    bool checksum;    /* it has one: the RDB's, or that of the frame it is compressed in */
    bool keeps_cache; /* what was read stays in the page cache */
    /* looked at each 2 MiB or so: given up; NULL: it is not */
    const _Atomic bool *cancel;
};

/* verify_dump: 0; -EBADMSG: it is not what was written, and *why says what is wrong, and where;
 * -ECANCELED; another -errno: it could not be read (no memory, no descriptor, an error of the
 * disk), so that nothing is known of it; *why says that too.  O(bytes) */
int verify_dump(const struct verify_options *o, char *why, size_t why_bytes);

#endif
