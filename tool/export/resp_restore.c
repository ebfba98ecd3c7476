/* tool/export/resp_restore.c - RESTORE: a value as it stands in the file. */

#include "tool/export/resp_state.h"

#include <stdio.h>

#include "tool/base/spill.h"

static int
spill_failed(struct resp *x, int error)
{
    char what[160];

    snprintf(what, sizeof what, "a temporary file in %.120s", tool_spill_dir());
    return resp_fail(x, error, what);
}

int
resp_restore_raw(void *ctx, struct slice piece)
{
    struct resp *x = ctx;
    int r;

    if (x->way != RESP_PAYLOAD)
        return 0;
    if ((r = resp_payload_add(&x->payload, piece)) < 0)
        return spill_failed(x, r);
    return 0;
}

/* put_options: what stands behind the payload. */
static void
put_options(struct resp *x)
{
    if (x->o->replace)
        resp_bulk(&x->out, SLICE("REPLACE"));
    if (x->expire_at_ms != -1)
        resp_bulk(&x->out, SLICE("ABSTTL"));
    if (x->idle_s >= 0) {
        resp_bulk(&x->out, SLICE("IDLETIME"));
        resp_number(&x->out, x->idle_s);
    } else if (x->freq >= 0) {
        resp_bulk(&x->out, SLICE("FREQ"));
        resp_number(&x->out, x->freq);
    }
}

int
resp_restore_end(struct resp *x)
{
    bool has_access = x->idle_s >= 0 || x->freq >= 0;
    uint64_t len;
    int r;

    if (x->is_empty)
        return 0;
    if ((r = resp_payload_end(&x->payload, resp_payload_version(x->values.walk.version, x->type),
                              &len)) < 0)
        return spill_failed(x, r);
    x->long_strings += len > RESP_BULK_BYTES;
    resp_open_key(x);
    resp_command(&x->out, 4u + x->o->replace + (x->expire_at_ms != -1) + (has_access ? 2u : 0u));
    resp_bulk(&x->out, SLICE("RESTORE"));
    resp_bulk(&x->out, x->name);
    resp_number(&x->out, x->expire_at_ms == -1 ? 0 : x->expire_at_ms);
    resp_bulk_head(&x->out, len);
    if ((r = resp_payload_put(&x->payload, &x->out)) < 0)
        return spill_failed(x, r);
    resp_bulk_end(&x->out);
    put_options(x);
    return 0;
}
