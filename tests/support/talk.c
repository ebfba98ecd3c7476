/* tests/support/talk.c - see talk.h. */
#include "tests/support/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/client.h"
#include "server/cmd.h"
#include "server/config.h"
#include "server/digest.h"
#include "server/server.h"

static struct client *client;
static char *reply;

void
talk_open(void)
{
    must(mm_init(&(struct mm_options){.arena_bytes = (size_t)8 << 30}) == 0);
    must(config_init() == 0);
    config.enable_debug_command = PERMIT_YES;
    cmd_table_init();
    server_clock_refresh();
    server.active_expire = true;
    must(db_init(16) == 0);
    client = client_new_detached();
    must(client != NULL);
}

void
talk_close(void)
{
    client_free(client);
    client = NULL;
    free(reply);
    reply = NULL;
    db_fini();
    must(talk_live_bytes() == 0);
    must(db_table_bytes() == 0);
    config_fini();
    mm_fini();
}

const char *
talk_words(int argc, const struct slice *argv)
{
    client->out_len = client->out_sent = 0;
    client_execute(client, argc, argv);
    free(reply);
    must((reply = malloc(client->out_len + 1)) != NULL);
    memcpy(reply, client->out, client->out_len);
    reply[client->out_len] = '\0';
    return reply;
}

size_t
talk_reply_len(void)
{
    return client->out_len;
}

static char *
make_word(const char *text, size_t len, size_t *ret_len)
{
    unsigned long n;
    char fill, *w;

    if (len > 1 && text[0] == '@' && sscanf(text, "@%lu*%c", &n, &fill) == 2) {
        must((w = malloc(n + 1)) != NULL);
        memset(w, fill, n);
        *ret_len = n;
        return w;
    }
    must((w = strndup(text, len)) != NULL);
    *ret_len = len == 2 && memcmp(text, "''", 2) == 0 ? 0 : len;
    return w;
}

const char *
talk(const char *format, ...)
{
    enum { WORDS_MAX = 256, LINE_BYTES = 8192 };
    static char line[LINE_BYTES];
    struct slice argv[WORDS_MAX];
    char *words[WORDS_MAX];
    va_list args;
    int argc = 0;

    va_start(args, format);
    must(vsnprintf(line, sizeof line, format, args) < LINE_BYTES);
    va_end(args);
    for (const char *p = line; *p != '\0';) {
        size_t blanks = strspn(p, " "), len = strcspn(p + blanks, " ");

        must(argc < WORDS_MAX);
        if (len > 0) {
            words[argc] = make_word(p + blanks, len, &argv[argc].len);
            argv[argc].ptr = words[argc];
            argc++;
        }
        p += blanks + len;
    }
    (void)talk_words(argc, argv);
    while (argc > 0)
        free(words[--argc]);
    return reply;
}

struct db *
talk_db(void)
{
    return db_select(client->db_index);
}

const struct record *
talk_record(const char *key)
{
    return db_peek(talk_db(), (struct slice){.ptr = key, .len = strlen(key)});
}

const char *
talk_digest(void)
{
    static char text[2][DIGEST_TEXT_BYTES];
    static unsigned turn;
    uint8_t digest[DIGEST_BYTES];

    digest_all(digest);
    turn = !turn;
    digest_text(digest, text[turn]);
    return text[turn];
}

size_t
talk_live_bytes(void)
{
    struct mm_figures f;

    mm_figures(&f);
    return f.live_bytes;
}

void
talk_pass_ms(int64_t ms)
{
    server.now_ms += ms;
    server.now_us += ms * 1000;
    server.clock_s += (uint32_t)(ms / 1000);
}

void
talk_finish_work(void)
{
    while (db_work(1000))
        ;
}
