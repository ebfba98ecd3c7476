/* server/net/attachment.c - see attachment.h. */
#include "server/net/attachment.h"

#include "mm/base/must.h"

static const struct client_attachment *attachments[CLIENT_ATTACHMENTS_MAX];
static unsigned count;

void
client_attach(const struct client_attachment *a)
{
    for (unsigned i = 0; i < count; i++)
        if (attachments[i] == a)
            return;
    must(count < CLIENT_ATTACHMENTS_MAX);
    attachments[count++] = a;
}

void
client_facts(const struct client *c, struct client_facts *ret)
{
    *ret = (struct client_facts){.queued_commands = -1, .user = "default", .redirect_id = -1};
    for (unsigned i = 0; i < count; i++)
        if (attachments[i]->describe != NULL)
            attachments[i]->describe(c, ret);
}

size_t
client_attached_bytes(const struct client *c)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < count; i++)
        if (attachments[i]->bytes != NULL)
            bytes += attachments[i]->bytes(c);
    return bytes;
}

void
client_attached_close(struct client *c)
{
    for (unsigned i = 0; i < count; i++)
        if (attachments[i]->on_close != NULL)
            attachments[i]->on_close(c);
}

void
client_attached_free(struct client *c)
{
    for (unsigned i = 0; i < count; i++)
        if (attachments[i]->on_free != NULL)
            attachments[i]->on_free(c);
}
