/* server/net/client.c - connections: the list of them, their birth and end. */
#include "server/net/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "mm/base/clock.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/net/attachment.h"
#include "server/net/client_evict.h"
#include "server/net/net_impl.h"
#include "server/net/output.h"
#include "server/net/transport.h"

static struct client *first, *last, *closed_first;
static unsigned count;
static uint64_t next_id = 1;

struct client_bytes client_bytes;
bool client_password_is_set = true;
bool client_starts_limited;

struct client *
client_first(void)
{
    return first;
}

struct client *
client_find(uint64_t id)
{
    struct client *c = first;

    while (c != NULL && c->id != id)
        c = c->next;
    return c;
}

unsigned
client_count(void)
{
    return count;
}

uint64_t
client_next_id(void)
{
    return next_id++;
}

struct client *
client_new_detached(void)
{
    struct client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->kind = CLIENT_DETACHED;
    c->fd = -1;
    c->resp = 2;
    c->authenticated = !client_password_is_set;
    c->created_ms = c->last_active_ms = clock_now.ms;
    return c;
}

void
client_free_input(struct client *c)
{
    if (c->in != NULL && !c->in_is_loan)
        client_bytes.input -= c->in_room + 1;
    free(c->in);
    c->in = NULL;
}

void
client_free(struct client *c)
{
    debug_check(!client_has_socket(c) || c->closed);
    for (int which = 0; which < CLIENT_QUEUES; which++)
        debug_check(!c->queued[which]);
    client_attached_free(c);
    debug_check(client_is_plain(c));
    resp_reset(&c->parser);
    client_free_input(c);
    output_free(c);
    free(c->name);
    free(c->lib_name);
    free(c->lib_ver);
    free(c);
}

struct client *
client_new(int fd, void (*ready)(struct loop_source *s, uint32_t events))
{
    struct client *c = client_new_detached();

    must(ready != NULL);
    if (c == NULL)
        return NULL;
    c->kind = CLIENT_NORMAL;
    c->is_limited = client_starts_limited;
    c->fd = fd;
    c->id = client_next_id();
    c->source.ready = ready;
    c->prev = last;
    if (last != NULL)
        last->next = c;
    else
        first = c;
    last = c;
    count++;
    return c;
}

void
client_close(struct client *c)
{
    must(client_has_socket(c));
    if (c->closed)
        return;
    c->closed = true;
    loop_remove(c->fd);
    transport_close(c);
    client_attached_close(c);
    debug_check(c->block == NULL && !c->is_monitor);
    client_evict_forget(c);
    net_forget(c);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        first = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        last = c->prev;
    count--;
    c->queue_next[QUEUE_DELAYED] = closed_first;
    closed_first = c;
}

void
client_free_closed(void)
{
    while (closed_first != NULL) {
        struct client *c = closed_first;
        closed_first = c->queue_next[QUEUE_DELAYED];
        client_free(c);
    }
}

void
client_doom(struct client *c)
{
    client_evict_forget(c);
    c->close_now = true;
    output_free(c);
}

bool
client_is_permitted(const struct client *c, int64_t permission)
{
    bool local = !client_has_socket(c) || c->is_unix || strncmp(c->addr, "127.", 4) == 0 ||
                 strncmp(c->addr, "[::1]", 5) == 0;

    return permission == PERMIT_YES || (permission == PERMIT_LOCAL && local);
}

size_t
client_memory(const struct client *c)
{
    size_t in = c->in_is_loan ? 0 : c->in_room,
           attached = likely(client_is_plain(c)) ? 0 : client_attached_bytes(c);

    return sizeof *c + in + c->out_bytes + attached + transport_bytes(c) +
           (size_t)c->parser.room * sizeof *c->parser.args;
}

static const char *
or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static void
add_flags(const struct client *c, const struct client_facts *facts, struct text *out)
{
    const struct {
        bool is_set;
        char letter;
    } flags[] = {{c->is_monitor, 'O'},
                 {client_is_subscriber(c), 'P'},
                 {c->is_reader, 'S'},
                 {c->multi != NULL, 'x'},
                 {(c->block != NULL && !c->is_reader) || c->queued[QUEUE_DELAYED], 'b'},
                 {facts->is_tracking, 't'},
                 {facts->redirect_is_broken, 'R'},
                 {facts->is_broadcast_to, 'B'},
                 {facts->watch_is_lost, 'd'},
                 {c->close_after_reply, 'c'},
                 {c->close_now, 'A'},
                 {c->is_unix, 'U'},
                 {c->no_evict, 'e'},
                 {c->no_touch, 'T'}};
    size_t before = out->len;

    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].is_set)
            text_add_bytes(out, &flags[i].letter, 1);
    if (out->len == before)
        text_add(out, "N");
}

void
client_describe(const struct client *c, struct text *out)
{
    size_t pending = client_pending_out(c), parsed = resp_parsed(&c->parser),
           words = resp_words_bytes(&c->parser);
    bool in_list =
        /* as Redis has it: the first bytes are in a buffer, others in a list */
        pending > OUTPUT_FREE_BYTES;
    unsigned chunks = 0;
    struct client_facts facts;

    debug_check(parsed <= c->in_len - c->in_pos);
    client_facts(c, &facts);
    text_addf(out, "id=%llu addr=%s laddr=%s fd=%d name=%s", (unsigned long long)c->id, c->addr,
              c->laddr, c->fd, or_empty(c->name));
    text_addf(out, " age=%lld idle=%lld flags=", (long long)(clock_now.ms - c->created_ms) / 1000,
              (long long)(clock_now.ms - c->last_active_ms) / 1000);
    add_flags(c, &facts, out);
    text_addf(out, " db=%d sub=%u psub=%u ssub=%u multi=%d", c->db_index, facts.channels,
              facts.patterns, facts.shard_channels, facts.queued_commands);
    text_addf(out, " qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu",
              c->in_len - c->in_pos - parsed, c->in_room - c->in_len, words, facts.queued_bytes);
    for (int i = 0; c->running && i < c->argc; i++)
        words += c->argv[i].len;
    for (const struct output_chunk *k = c->out_first; k != NULL; k = k->next)
        chunks++;
    text_addf(out, " rbs=%zu rbp=%zu obl=%zu oll=%u omem=%zu tot-mem=%zu", c->out_room, c->out_room,
              in_list ? 0 : pending, in_list ? chunks : 0, in_list ? c->out_bytes : 0,
              client_memory(c));
    text_addf(out, " events=%s%s", (c->interest & EPOLLIN) != 0 ? "r" : "",
              (c->interest & EPOLLOUT) != 0 ? "w" : "");
    text_addf(out, " cmd=%s user=%s redir=%lld resp=%d",
              facts.command != NULL ? facts.command : "NULL", facts.user,
              (long long)facts.redirect_id, c->resp);
    text_addf(out, " lib-name=%s lib-ver=%s", or_empty(c->lib_name), or_empty(c->lib_ver));
}
