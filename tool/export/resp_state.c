/* tool/export/resp_state.c - the key in hand: where it goes, and what goes wrong with it. */
#include "tool/export/resp_state.h"

#include <stdio.h>
#include <string.h>

int
resp_fail(struct resp *x, int error, const char *what)
{
    struct rdb_error *e = &x->values.walk.run.error;

    snprintf(e->text, sizeof e->text, "%s: %s", what, strerror(-error));
    return error;
}

void
resp_open_key(struct resp *x)
{
    struct slice del[] = {SLICE("DEL"), x->name};

    if (x->is_there)
        return;
    x->is_there = true;
    if (!x->has_db || x->db != x->next_db) {
        resp_command(&x->out, 2);
        resp_bulk(&x->out, SLICE("SELECT"));
        resp_number(&x->out, (int64_t)x->next_db);
        x->has_db = true;
        x->db = x->next_db;
    }
    if (x->o->replace && x->way == RESP_COMMANDS && x->kind != RDB_VALUE_STRING)
        resp_put(&x->out, del, 2);
}
