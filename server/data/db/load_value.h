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

/* load_take: the value that was read is the caller's; inline bytes stand in s until load_fini().  0
 * or -errno */
int load_take(struct load_state *s, struct value *ret);

#endif
