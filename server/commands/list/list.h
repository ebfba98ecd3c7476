/* server/commands/list/list.h - what the files of list commands share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_LIST_LIST_H
#define SERVER_COMMANDS_LIST_LIST_H

#include "server/data/list/list.h"
#include "server/exec/typed_key.h"

/* list_find_key: key_of_type() for lists. */
bool list_find_key(struct client *c, int arg, unsigned flags, struct db_ref *ref);

/* arg_side: LEFT or RIGHT (args.h). */
bool arg_side(struct client *c, int arg, enum list_side *ret);

/* reply_elements: so many elements from first on, as bulk strings.  reply_element: one. */
void reply_elements(struct client *c, const struct record *r, uint64_t first, uint64_t count);
void reply_element(struct client *c, const struct list_elem *e);

/* list_went: elements left the list at ref (at a side): events, and the count of changes. */
void list_went(struct client *c, const struct db_ref *ref, enum list_side side, uint64_t count);

/* What is popped, and how it is replied. */
struct pop {
    enum list_side side;
    uint64_t count; /* so many elements, or all there are */
    bool with_key;  /* the key first */
    bool as_array;  /* an array even if it is one */
};
/* list_pop_replying: from the list at ref.  Replies OOM without memory. */
void list_pop_replying(struct client *c, struct db_ref *ref, const struct pop *p);

/* What LMOVE is about, and the move: source exists and is a list.  Replies the element, WRONGTYPE
 * (of the destination) or OOM. */
struct move {
    struct slice from_key, to_key;
    enum list_side from, to;
};
void list_move_replying(struct client *c, const struct move *m, struct db_ref *source);

/* What LMPOP and BLMPOP are about: first_key is that of the arguments that is the first key. */
struct mpop {
    int first_key, key_count;
    struct pop pop;
};
/* list_parse_mpop: argument `at` is the number of keys. */
bool list_parse_mpop(struct client *c, int at, struct mpop *ret);
/* list_mpop_now: from the first list that there is.  True: replied, be it with an error. */
bool list_mpop_now(struct client *c, const struct mpop *m);

#endif
