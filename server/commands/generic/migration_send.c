/* server/commands/generic/migration_send.c - what the target of a migration is sent, and says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "mm/base/text.h"
#include "mm/base/ticks.h"
#include "server/commands/generic/migration_impl.h"
#include "server/data/db/db.h"
#include "server/data/db/dump.h"
#include "server/data/db/dump_slices.h"
#include "server/exec/keyhold.h"

enum { PARTS_MAX = 64 /* pieces in one system call */ };

/* ---- what is sent ---- */

/* push: the bytes are the migration's from now on, or, without memory, gone. */
static void
push(struct migration *m, char *bytes, size_t len)
{
    struct piece *p = bytes != NULL ? malloc(sizeof *p) : NULL;

    if (p == NULL) {
        free(bytes);
        m->end = MIGRATION_NO_MEMORY;
        return;
    }
    *p = (struct piece){.bytes = bytes, .len = len};
    *(m->last != NULL ? &m->last->next : &m->first) = p;
    m->last = p;
    m->pending_bytes += len;
}

static void
push_text(struct migration *m, struct text *t)
{
    if (t->failed) {
        text_free(t);
        m->end = MIGRATION_NO_MEMORY;
        return;
    }
    push(m, t->at, t->len);
}

static void
drop_first(struct migration *m)
{
    struct piece *p = m->first;

    m->first = p->next;
    if (m->first == NULL)
        m->last = NULL;
    m->pending_bytes -= p->len - p->at;
    free(p->bytes);
    free(p);
}

void
migration_drop_pieces(struct migration *m)
{
    while (m->first != NULL)
        drop_first(m);
}

static void
add_word(struct text *t, struct slice word)
{
    text_addf(t, "$%zu\r\n", word.len);
    text_add_bytes(t, word.ptr, word.len);
    text_add(t, "\r\n");
}

static void
add_number(struct text *t, int64_t n)
{
    char room[NUM_MAX_BYTES];

    add_word(t, (struct slice){room, (size_t)(num_put(room, n) - room)});
}

void
migration_greet(struct migration *m)
{
    const struct migration_plan *plan = &m->plan;
    struct text t = {0};

    if (plan->password_at != 0) {
        text_addf(&t, "*%d\r\n", plan->user_at != 0 ? 3 : 2);
        add_word(&t, SLICE("AUTH"));
        if (plan->user_at != 0)
            add_word(&t, m->argv[plan->user_at]);
        add_word(&t, m->argv[plan->password_at]);
        m->greetings++;
    }
    text_add(&t, "*2\r\n");
    add_word(&t, SLICE("SELECT"));
    add_number(&t, plan->target_db);
    m->greetings++;
    push_text(m, &t);
}

/* ttl_of: what RESTORE gets: 0: for ever. */
static int64_t
ttl_of(const struct record *r)
{
    int64_t at_ms = record_expire(r);

    if (at_ms == RECORD_NO_EXPIRE)
        return 0;
    return at_ms > clock_now.ms ? at_ms - clock_now.ms : 1;
}

/* send_key: the next one goes out; payload: the migration's from now on. */
static void
send_key(struct migration *m, const struct record *r, uint8_t *payload, size_t len)
{
    struct migration_key *k = &m->keys[m->next_key++];
    struct text head = {0}, tail = {0};

    k->state = KEY_SENT;
    text_add(&head, m->plan.replace ? "*5\r\n" : "*4\r\n");
    add_word(&head, SLICE("RESTORE"));
    add_word(&head, k->name);
    add_number(&head, ttl_of(r));
    text_addf(&head, "$%zu\r\n", len);
    text_add(&tail, m->plan.replace ? "\r\n$7\r\nREPLACE\r\n" : "\r\n");
    push_text(m, &head);
    push(m, (char *)payload, len);
    push_text(m, &tail);
}

static void
note_progress(struct migration *m)
{
    m->deadline_ms = clock_now.ms + m->plan.timeout_ms;
}

/* begin_slices: of a large value; without a thread it is dumped at once. */
static bool
begin_slices(struct migration *m, const struct record *r)
{
    int result = dump_slices_begin(r, &m->dump);

    m->waits_for_dumps = result == -EAGAIN;
    return result == 0 || result == -EAGAIN;
}

static void
dump_at_once(struct migration *m, const struct record *r)
{
    uint8_t *payload;
    size_t len;

    if (dump_value(r, &payload, &len) < 0)
        m->end = MIGRATION_NO_MEMORY;
    else
        send_key(m, r, payload, len);
}

/* take_next: what has changed a key before it is dumped is no matter: it is dumped as it is now. */
static void
take_next(struct migration *m)
{
    struct migration_key *k = &m->keys[m->next_key];
    struct db_ref ref;

    if (db_lookup(db_select(m->db_index), k->name, DB_QUIET, &ref) == NULL) {
        k->state = KEY_STAYS;
        m->next_key++;
        return;
    }
    keyhold_accept(k->hold);
    if (!dump_is_long(ref.rec) || !begin_slices(m, ref.rec))
        dump_at_once(m, ref.rec);
}

/* drop_dump: DS1: the value has changed: the dump begins anew.  That is no progress. */
static void
drop_dump(struct migration *m)
{
    dump_slices_end(m->dump);
    m->dump = NULL;
    m->keys[m->next_key].was_dropped = true;
}

static void
go_on_with_dump(struct migration *m)
{
    const struct migration_key *k = &m->keys[m->next_key];
    uint8_t *payload;
    size_t len;
    int r;

    if (keyhold_was_touched(k->hold)) {
        drop_dump(m);
        return;
    }
    if ((r = dump_slices_go_on(m->dump, LOOP_SLICE_US)) == 1) {
        if (!k->was_dropped)
            note_progress(m);
        return;
    }
    if (r < 0 || (payload = dump_slices_take(m->dump, &len)) == NULL)
        m->end = MIGRATION_NO_MEMORY;
    else
        send_key(m, db_peek(db_select(m->db_index), k->name), payload, len);
    dump_slices_end(m->dump);
    m->dump = NULL;
}

/* ---- through the socket ---- */

/* The errors after which it may go on. */
static bool
is_passing(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* send_some: false: the socket takes no more now. */
static bool
send_some(struct migration *m)
{
    struct iovec parts[PARTS_MAX];
    struct msghdr message = {.msg_iov = parts};
    ssize_t n;

    for (struct piece *p = m->first; p != NULL && message.msg_iovlen < PARTS_MAX; p = p->next)
        parts[message.msg_iovlen++] =
            (struct iovec){.iov_base = p->bytes + p->at, .iov_len = p->len - p->at};
    if ((n = sendmsg(m->dial.fd, &message, MSG_NOSIGNAL)) < 0) {
        if (!is_passing())
            m->end = MIGRATION_LOST;
        return false;
    }
    note_progress(m);
    while (n > 0 && m->first != NULL) {
        struct piece *p = m->first;
        size_t part = p->len - p->at < (size_t)n ? p->len - p->at : (size_t)n;

        p->at += part;
        m->pending_bytes -= part;
        n -= (ssize_t)part;
        if (p->at == p->len)
            drop_first(m);
    }
    return true;
}

/* ---- what the target says ---- */

/* next_sent: the key whose answer comes next; one that was not there was not sent. */
static struct migration_key *
next_sent(struct migration *m)
{
    while (m->answered < m->next_key && m->keys[m->answered].state == KEY_STAYS)
        m->answered++;
    return m->answered < m->next_key ? &m->keys[m->answered] : NULL;
}

/* keep_refusal: the first is the one that is told. */
static void
keep_refusal(struct migration *m)
{
    if (m->refusal == NULL && (m->refusal = strdup(m->line + 1)) == NULL)
        m->end = MIGRATION_NO_MEMORY;
}

/* take_line: each answer is one line: +OK, or an error. */
static void
take_line(struct migration *m)
{
    bool is_error = m->line[0] == '-', is_ok = strcmp(m->line, "+OK") == 0;
    struct migration_key *k;

    if (!is_error && !is_ok) {
        m->end = MIGRATION_STRANGE;
        return;
    }
    if (is_error)
        keep_refusal(m);
    if (m->greetings > 0) {
        if (--m->greetings == 0 && m->refusal != NULL)
            m->end = MIGRATION_ANSWERED; /* without the right database no key is sent */
    } else if ((k = next_sent(m)) != NULL) {
        k->state = is_ok ? KEY_TAKEN : KEY_STAYS;
        m->taken_count += is_ok;
        m->answered++;
    } else {
        m->end = MIGRATION_STRANGE;
    }
}

static void
take_bytes(struct migration *m, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && m->end == MIGRATION_GOES_ON; i++) {
        if (bytes[i] != '\n') {
            if (m->line_len < ANSWER_BYTES)
                m->line[m->line_len++] = bytes[i];
            continue;
        }
        if (m->line_len > 0 && m->line[m->line_len - 1] == '\r')
            m->line_len--;
        m->line[m->line_len] = '\0';
        m->line_len = 0;
        take_line(m);
    }
}

/* receive_some: false: nothing more has come. */
static bool
receive_some(struct migration *m)
{
    char bytes[4096];
    ssize_t n = recv(m->dial.fd, bytes, sizeof bytes, 0);

    if (n == 0 || (n < 0 && !is_passing()))
        m->end = MIGRATION_LOST;
    if (n <= 0)
        return false;
    note_progress(m);
    take_bytes(m, bytes, (size_t)n);
    return true;
}

/* is_answered: nothing is left to be sent, or to be heard of. */
static bool
is_answered(struct migration *m)
{
    return m->next_key == m->key_count && m->pending_bytes == 0 && m->greetings == 0 &&
           next_sent(m) == NULL;
}

/* may_dump: the next key is wanted: the target has let us in, and took what came before. */
static bool
may_dump(const struct migration *m)
{
    return m->end == MIGRATION_GOES_ON && m->greetings == 0 && m->next_key < m->key_count &&
           m->pending_bytes < MIGRATION_AHEAD_BYTES && !m->waits_for_dumps;
}

bool
migration_talk(struct migration *m)
{
    uint64_t begin = ticks_now();
    bool sends = true, hears = true;

    m->waits_for_dumps = false;
    while (m->end == MIGRATION_GOES_ON && (sends || hears)) {
        while (may_dump(m) && ticks_to_ns(ticks_now() - begin) < LOOP_SLICE_US * 1000)
            if (m->dump != NULL)
                go_on_with_dump(m);
            else
                take_next(m);
        sends = m->end == MIGRATION_GOES_ON && m->first != NULL && send_some(m);
        hears = m->end == MIGRATION_GOES_ON && receive_some(m);
        if (m->end == MIGRATION_GOES_ON && is_answered(m))
            m->end = MIGRATION_ANSWERED;
        if (ticks_to_ns(ticks_now() - begin) >= LOOP_SLICE_US * 1000)
            return true;
    }
    return false;
}
