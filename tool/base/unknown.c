/* tool/base/unknown.c - what was read over.  The contract is in unknown.h. */
#include "tool/base/unknown.h"

#include <string.h>

#include "mm/base/printable.h"

void
tool_unknown_add(struct tool_unknown *u, const struct rdb_key *key, const char *what)
{
    struct tool_unknown_kind *k = u->kind;
    const struct tool_unknown_kind *end = u->kind + u->kinds;

    u->total++;
    while (k < end && strcmp(k->what, what) != 0)
        k++;
    if (k == u->kind + TOOL_UNKNOWN_KINDS)
        k--;
    if (k < end) {
        k->count++;
        return;
    }
    u->kinds++;
    *k = (struct tool_unknown_kind){.count = 1, .has_key = key != NULL};
    snprintf(k->what, sizeof k->what, "%s", what);
    if (key == NULL)
        return;
    k->offset = key->offset;
    printable(k->key, sizeof k->key, key->name.ptr, key->name.len);
}

void
tool_unknown_report(const struct tool_unknown *u, const struct tool_run *run)
{
    for (unsigned i = 0; i < u->kinds; i++) {
        const struct tool_unknown_kind *k = &u->kind[i];
        const char *others = i + 1 == TOOL_UNKNOWN_KINDS ? " (and others)" : "";

        fprintf(stderr, "stillframe-rdb: %s: not read: %s%s", run->path, k->what, others);
        if (k->count > 1)
            fprintf(stderr, ", %s times", tool_count(k->count));
        if (k->has_key)
            fprintf(stderr, ", first at byte %llu%s (key \"%s\")", (unsigned long long)k->offset,
                    run->is_packed ? " of the decompressed RDB" : "", k->key);
        fputc('\n', stderr);
    }
}
