/* server/data/db/load_value.h - what a type loads its values with (load_<type>.c).
 *
 * Each type takes the decoder's events that bring its values: its load_<type>() (struct type_ops)
 * enters them into the table of load.c.  Their context is the struct load_state; each begins with
 *     if (s->skip)
 *         return 0;
 * Threads: mutator. */
#ifndef SERVER_DATA_DB_LOAD_VALUE_H
#define SERVER_DATA_DB_LOAD_VALUE_H

#include "server/data/db/load.h"

/* load_reserve: room for so many bytes in all.  load_add: append.  0 or -ENOMEM */
int load_reserve(struct load_buffer *b, size_t room);
int load_add(struct load_buffer *b, const void *bytes, size_t len);
/* load_complain: note what is wrong, and with which key; returns error. */
int load_complain(struct load_state *s, int error, const char *what);

/* load_view: the value is these bytes of the decoder's, a listpack or intset, which stay where they
 * are until the value ends.
 * load_begin_blob: the value is collected in s->bytes (which is empty).
 * load_begin_root: it is this structure, which now belongs to s (NULL: -ENOMEM); a blob that was
 * begun is forgotten by the caller. */
void load_view(struct load_state *s, enum value_type type, struct slice bytes);
void load_begin_blob(struct load_state *s, enum value_type type);
int load_begin_root(struct load_state *s, enum value_type type, const void *root);

/* An entry of the structure that s->value.root is: it waits until there are LOAD_AHEAD of them, as
 * records do, so that its bucket is there when it is entered.
 * warm: a hint that one with this hash comes.  enter: 0, -ENOMEM, or -EEXIST: it is there already;
 * then it is freed by drop.  twice: the complaint then. */
struct load_entry_ops {
    void (*warm)(const void *root, uint64_t hash);
    int (*enter)(const void *root, uint64_t hash, const void *entry);
    void (*drop)(const void *entry);
    const char *twice;
};
/* load_entry: it belongs to s now, whatever comes of it.  0 or -errno: of it, or one before it. */
int load_entry(struct load_state *s, const struct load_entry_ops *ops, uint64_t hash,
               const void *entry);
/* load_expect: a claim of so many elements, as far as the file has room for them. */
uint64_t load_expect(const struct load_state *s, uint64_t claim);

/* load_take: the value that was read is the caller's; inline bytes stand in s until load_fini().  0
 * or -errno */
int load_take(struct load_state *s, struct value *ret);

#endif
