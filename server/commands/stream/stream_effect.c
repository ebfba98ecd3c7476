/* server/commands/stream/stream_effect.c - see stream_effect.h. */
#include "server/commands/stream/stream_effect.h"

#include <stdlib.h>

#include "server/net/client.h"

enum { ID_BYTES = 2 * NUM_MAX_BYTES + 1 };

static struct slice
id_word(char room[ID_BYTES], struct stream_id id)
{
    char *end = num_put_unsigned(room, id.ms);

    *end++ = '-';
    end = num_put_unsigned(end, id.seq);
    return (struct slice){.ptr = room, .len = (size_t)(end - room)};
}

void
stream_say_added(const struct client *c, int id_arg, struct stream_id id,
                 const struct stream *trimmed)
{
    int fields = c->argc - id_arg - 1, argc = 2;
    struct slice *words = calloc((size_t)fields + 6, sizeof *words);
    char number[NUM_MAX_BYTES], id_room[ID_BYTES];

    if (words == NULL) {
        effect_lost();
        return;
    }
    words[0] = SLICE("XADD");
    words[1] = c->argv[1];
    if (trimmed != NULL) {
        words[argc++] = SLICE("MAXLEN");
        words[argc++] = SLICE("=");
        words[argc++] = effect_number(number, (int64_t)trimmed->length);
    }
    words[argc++] = id_word(id_room, id);
    memcpy(words + argc, c->argv + id_arg + 1, (size_t)fields * sizeof *words);
    effect_instead(argc + fields, words);
    free(words);
}

/* Where ~ stops depends on how the entries stand in nodes, which a copy may have otherwise. */
void
stream_say_trimmed(struct slice key, const struct stream *s)
{
    char number[NUM_MAX_BYTES];
    struct slice words[] = {SLICE("XTRIM"), key, SLICE("MAXLEN"), SLICE("="),
                            effect_number(number, (int64_t)s->length)};

    EFFECT(words);
}

void
stream_say_consumer(const struct stream_said *w)
{
    struct slice words[] = {SLICE("XGROUP"), SLICE("CREATECONSUMER"), w->key, w->group,
                            w->consumer};

    EFFECT(words);
}

void
stream_say_claimed(const struct stream_said *w, const struct stream_group *g, struct stream_id id)
{
    const struct stream_pending *p = idtree_find(&g->pending, id);
    char time[NUM_MAX_BYTES], count[NUM_MAX_BYTES], id_room[ID_BYTES];
    struct slice words[] = {SLICE("XCLAIM"),
                            w->key,
                            w->group,
                            w->consumer,
                            SLICE("0"),
                            id_word(id_room, id),
                            SLICE("TIME"),
                            effect_number(time, p->delivered_ms),
                            SLICE("RETRYCOUNT"),
                            effect_number(count, (int64_t)p->deliveries),
                            SLICE("FORCE"),
                            SLICE("JUSTID")};

    EFFECT(words);
}

void
stream_say_acked(const struct stream_said *w, struct stream_id id)
{
    char id_room[ID_BYTES];
    struct slice words[] = {SLICE("XACK"), w->key, w->group, id_word(id_room, id)};

    EFFECT(words);
}

void
stream_say_read(const struct stream_said *w, const struct stream_group *g)
{
    char read[NUM_MAX_BYTES], id_room[ID_BYTES];
    struct slice words[] = {SLICE("XGROUP"),
                            SLICE("SETID"),
                            w->key,
                            w->group,
                            id_word(id_room, g->last),
                            SLICE("ENTRIESREAD"),
                            effect_number(read, g->entries_read)};

    EFFECT(words);
}
