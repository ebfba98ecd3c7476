/* tool/input/tape_impl.h - what can be read once only, kept in a temporary file as it is read: for
 * who reads it again, or at any place.
 *
 *     reader 1:  live --> decoder            reader 2:  tape --> decoder, and, where reader 1 has
 *                 \--> tape                             ended early, live --> decoder and tape
 *
 * Threads: one at a time. */
#ifndef TOOL_INPUT_TAPE_IMPL_H
#define TOOL_INPUT_TAPE_IMPL_H

#include "tool/input/stage_impl.h"

struct tape {
    struct stage *live; /* [owned] NULL: there is no tape */
    int fd;             /* [owned] */
    uint64_t size;      /* bytes of `live` that are on it */
};

/* tape_open: live is the tape's in any case.  0 or -errno. */
int tape_open(struct tape *t, struct stage *live);
void tape_close(struct tape *t);
/* tape_is_whole: the live one has ended, well or not. */
bool tape_is_whole(const struct tape *t);
/* tape_reader: from the front, as a stage; one at a time.  NULL: no memory. */
struct stage *tape_reader(struct tape *t);
/* tape_finish: all of it is on the tape.  0; -EBADMSG: stage_wrong() of the live one says what is
 * wrong behind what is; or another -errno: of the tape. */
int tape_finish(struct tape *t);

#endif
