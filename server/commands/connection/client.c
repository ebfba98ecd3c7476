/* server/commands/connection/client.c - CLIENT and its subcommands. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/commands/connection/client_name.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/connection/connection.def"

bool
client_name_is_good(struct client *c, struct slice name, const char *what)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < '!' || name.ptr[i] > '~') {
            reply_errorf(c, "ERR %s cannot contain spaces, newlines or special characters.", what);
            return false;
        }
    return true;
}

bool
client_set_name(struct client *c, char **field, struct slice name, const char *what)
{
    char *copy = NULL;

    if (!client_name_is_good(c, name, what))
        return false;
    if (name.len > 0 && (copy = strndup(name.ptr, name.len)) == NULL) {
        reply_error(c, "OOM no memory for the name");
        return false;
    }
    free(*field);
    *field = copy;
    return true;
}

/* CLIENT SETNAME name -> OK.  An empty name takes the name away. */
void
cmd_client_setname(struct client *c)
{
    if (client_set_name(c, &c->name, c->argv[2], "Client names"))
        reply_ok(c);
}

/* CLIENT GETNAME -> the name, or null. */
void
cmd_client_getname(struct client *c)
{
    if (c->name != NULL)
        reply_bulk_text(c, c->name);
    else
        reply_null(c);
}

/* CLIENT SETINFO LIB-NAME name | LIB-VER version -> OK. */
void
cmd_client_setinfo(struct client *c)
{
    bool ok;

    if (arg_is(c, 2, "lib-name")) {
        ok = client_set_name(c, &c->lib_name, c->argv[3], "lib-name");
    } else if (arg_is(c, 2, "lib-ver")) {
        ok = client_set_name(c, &c->lib_ver, c->argv[3], "lib-ver");
    } else {
        reply_errorf(c, "ERR Unrecognized option '%.*s'", slice_shown(c->argv[2]), c->argv[2].ptr);
        return;
    }
    if (ok)
        reply_ok(c);
}

/* CLIENT ID -> the connection's number. */
void
cmd_client_id(struct client *c)
{
    reply_int(c, (int64_t)c->id);
}

static void
reply_lines(struct client *c, struct text *t)
{
    if (t->failed)
        reply_error(c, "OOM no memory for the list");
    else
        reply_verbatim(c, "txt", text_str(t), t->len);
    text_free(t);
}

/* CLIENT INFO -> one line. */
void
cmd_client_info(struct client *c)
{
    struct text t = {0};

    client_describe(c, &t);
    text_add(&t, "\n");
    reply_lines(c, &t);
}

int
client_type_number(struct client *c, int i)
{
    static const struct {
        const char *name;
        enum output_class class;
    } types[] = {{"normal", OUTPUT_NORMAL},
                 {"slave", OUTPUT_REPLICA},
                 {"replica", OUTPUT_REPLICA},
                 {"pubsub", OUTPUT_PUBSUB},
                 {"master", OUTPUT_CLASSES}};

    for (unsigned k = 0; k < sizeof types / sizeof types[0]; k++)
        if (arg_is(c, i, types[k].name))
            return (int)types[k].class;
    reply_errorf(c, "ERR Unknown client type '%.*s'", slice_shown(c->argv[i]), c->argv[i].ptr);
    return -1;
}

static void
list_type(struct client *c, struct text *out)
{
    int type = client_type_number(c, 3);

    if (type < 0)
        return;
    for (struct client *other = client_first(); other != NULL; other = other->next) {
        if (client_type(other) != type)
            continue;
        client_describe(other, out);
        text_add(out, "\n");
    }
    reply_lines(c, out);
}

static void
list_ids(struct client *c, struct text *out)
{
    for (int i = 3; i < c->argc; i++) {
        struct client *other;
        int64_t id;
        if (!num_parse(c->argv[i].ptr, c->argv[i].len, &id)) {
            text_free(out);
            reply_error(c, "ERR Invalid client ID");
            return;
        }
        if ((other = client_find((uint64_t)id)) == NULL)
            continue;
        client_describe(other, out);
        text_add(out, "\n");
    }
    reply_lines(c, out);
}

/* CLIENT LIST [TYPE type | ID id ...] -> one line for each connection. */
void
cmd_client_list(struct client *c)
{
    struct text t = {0};

    if (c->argc == 4 && arg_is(c, 2, "TYPE")) {
        list_type(c, &t);
    } else if (c->argc > 3 && arg_is(c, 2, "ID")) {
        list_ids(c, &t);
    } else if (c->argc == 2) {
        for (struct client *other = client_first(); other != NULL; other = other->next) {
            client_describe(other, &t);
            text_add(&t, "\n");
        }
        reply_lines(c, &t);
    } else {
        reply_syntax(c);
    }
}
