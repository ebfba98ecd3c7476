/* tests/support/talk.c - see talk.h. */
#include "tests/support/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/data/db/digest.h"
#include "server/exec/auth.h"
#include "server/exec/exec.h"
#include "server/limits.h"
#include "server/memory/evict.h"
#include "server/modules.h"
#include "server/net/client.h"
#include "tests/support/words.h"

static struct client *client;
static char *reply;

void
talk_open(void)
{
    must(mm_init(&(struct mm_options){.arena_bytes = (size_t)8 << 30}) == 0);
    must(config_init() == 0);
    auth_init();
    config.enable_debug_command = PERMIT_YES;
    modules_init();
    clock_refresh();
    db_state.active_expire = true;
    limits_init();
    must(db_init(16) == 0);
    evict_init();
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
    exec_words(client, argc, argv);
    exec_verify();
    evict_verify();
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

const char *
talk(const char *format, ...)
{
    enum { LINE_BYTES = 8192 };
    static char line[LINE_BYTES];
    struct words w;
    va_list args;

    va_start(args, format);
    must(vsnprintf(line, sizeof line, format, args) < LINE_BYTES);
    va_end(args);
    words_split(&w, line, strlen(line));
    (void)talk_words(w.argc, w.argv);
    words_free(&w);
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
    clock_now.ms += ms;
    clock_now.us += ms * 1000;
    clock_now.s = (uint32_t)(clock_now.ms / 1000) & 0xffffff;
}

void
talk_finish_work(void)
{
    while (db_work(1000))
        ;
}

#ifdef STILLFRAME_FAULTS
unsigned
talk_starve(void (*fill)(void), const char *command, bool from_there)
{
    unsigned refused = 0;

    for (unsigned n = 1;; n++) {
        char before[DIGEST_TEXT_BYTES];
        bool is_refused;

        talk("flushall");
        talk_finish_work();
        fill();
        snprintf(before, sizeof before, "%s", talk_digest());
        fault_arm(FAULT_ANY, n, from_there);
        is_refused = talk("%s", command)[0] == '-';
        if (fault_disarm() == 0)
            return refused;
        if (!is_refused)
            continue;
        refused++;
        if (strcmp(before, talk_digest()) != 0)
            fprintf(stderr, "%s: refused at allocation %u, and the data has changed\n", command, n);
        must(strcmp(before, talk_digest()) == 0);
        db_verify();
    }
}
#endif
