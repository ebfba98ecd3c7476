/* server/commands/server/sync.c - commands of readers that want a copy of the data: SYNC PSYNC
 * REPLCONF.  What becomes of them: readers.h. */
#include <ctype.h>
#include <stdlib.h>

#include "mm/base/text.h"
#include "server/commands/server/readers.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

/* why_not: the copy cannot be sent to this client; NULL: it can. */
static const char *
why_not(const struct client *c)
{
    if ((c->copy_wishes & WISH_FILE) == 0)
        return "ERR Replication is not supported: nothing would follow the data. REPLCONF rdb-only 1 asks for the data alone";
    if ((c->copy_wishes & (WISH_EOF | WISH_NO_DATA)) == 0)
        return "ERR The length of the data is not known beforehand: REPLCONF capa eof says that it may come without";
    if (c->is_monitor || client_is_subscriber(c))
        return "ERR SYNC and PSYNC are not for a connection that gets messages or the lines of MONITOR";
    if (!client_may_wait(c))
        return "ERR SYNC and PSYNC need a connection";
    return NULL;
}

static void
sync(struct client *c, bool with_id)
{
    const char *error = why_not(c);

    if (error != NULL)
        reply_error(c, error);
    else if (readers_add(c, with_id) < 0)
        reply_error(c, "OOM no memory to wait");
}

/* SYNC -> the data as a file, and the end. */
void
cmd_sync(struct client *c)
{
    sync(c, false);
}

/* PSYNC replicationid offset -> FULLRESYNC, then as SYNC: there is nothing to go on with. */
void
cmd_psync(struct client *c)
{
    int64_t offset;

    if (c->argc > 3)
        reply_syntax(c);
    else if (arg_int(c, 2, &offset))
        sync(c, true);
}

/* ---- REPLCONF ---- */

/* Words are separated by blanks; none is a choice, too: the head alone. */
static bool
set_filter(struct client *c, int i)
{
    struct slice words[8], value = c->argv[i];
    char *scratch = malloc(value.len + 1);
    uint8_t wishes = WISH_NO_DATA;
    int n = -1;

    if (scratch != NULL)
        n = text_split_words(value.ptr, value.len, scratch, words, 8);
    if (n < 0)
        reply_error(c, "ERR Missing rdb-filter-only values");
    for (int k = 0; k < n; k++) {
        if (!slice_is_word(words[k], "functions")) {
            reply_errorf(c, "ERR Unsupported rdb-filter-only option: %.*s", slice_shown(words[k]),
                         words[k].ptr);
            n = -1;
        }
        wishes |= WISH_LIBRARIES;
    }
    free(scratch);
    if (n < 0)
        return false;
    c->copy_wishes = (uint8_t)((c->copy_wishes & ~(WISH_NO_DATA | WISH_LIBRARIES)) | wishes);
    return true;
}

static bool
set_file_only(struct client *c, int i)
{
    int64_t on;

    if (!arg_int(c, i, &on))
        return false;
    if (on < 0 || on > 1) {
        reply_error(c, "ERR value is out of range, value must between 0 and 1");
        return false;
    }
    c->copy_wishes = (uint8_t)((c->copy_wishes & ~WISH_FILE) | (on == 1 ? WISH_FILE : 0));
    return true;
}

/* set_option: false: it was answered, or is not to be. */
static bool
set_option(struct client *c, int i)
{
    int64_t number;

    if (arg_is(c, i, "listening-port"))
        return arg_int(c, i + 1, &number);
    if (arg_is(c, i, "ip-address"))
        return true;
    if (arg_is(c, i, "capa")) {
        c->copy_wishes |= arg_is(c, i + 1, "eof") ? WISH_EOF : 0;
        return true;
    }
    if (arg_is(c, i, "rdb-only"))
        return set_file_only(c, i + 1);
    if (arg_is(c, i, "rdb-filter-only"))
        return set_filter(c, i + 1);
    if (arg_is(c, i, "ack") || arg_is(c, i, "getack")) {
        if (c->in_exec) /* a reply is counted there */
            reply_error(c, "ERR REPLCONF ACK and GETACK are not for transactions");
        return false;
    }
    reply_errorf(c, "ERR Unrecognized REPLCONF option: %.*s", slice_shown(c->argv[i]),
                 c->argv[i].ptr);
    return false;
}

/* REPLCONF [option value] ... -> OK; ACK and GETACK: nothing. */
void
cmd_replconf(struct client *c)
{
    if (c->argc % 2 == 0) {
        reply_syntax(c);
        return;
    }
    for (int i = 1; i < c->argc; i += 2)
        if (!set_option(c, i))
            return;
    reply_ok(c);
}
