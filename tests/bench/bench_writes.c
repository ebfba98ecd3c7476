/* tests/bench/bench_writes.c - writers and a probe over sockets, for tests/bench/save.py.
 *
 *   bench_writes PORT fill DATA COUNT           make the data, and end
 *   bench_writes PORT run DATA COUNT RATE FILE  write until standard input ends
 *
 * DATA is one of strings100, strings1k (random bytes), text100, text1k (words), mixed (COUNT keys
 * of all types, small and middle); or one huge key of COUNT elements (hash, list, zset) or bytes
 * (string).  RATE: writes a second, 0 for none, "full" for as many as the server takes.
 *
 * The writer sends batches of 16 writes to keys, fields, members, indexes and offsets drawn at
 * random, over four connections in turn: while one batch is answered three others wait at the
 * server, so that it is never this program that it waits for.
 *
 * The probe is one such write each millisecond on a connection of its own, whether the ones before
 * it have been answered or not: a stall of 50 ms is 50 probes late and not one.
 *
 * FILE gets lines of text, times in seconds of CLOCK_MONOTONIC:
 *
 *   p <sent> <microseconds until the reply>     each probe
 *   w <time> <writes answered until then>       every 10 ms
 *   c <CPU seconds of the writer> <... of the probe>
 *
 * A server's error reply ends the program. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/measure.h"

enum {
    CONNECTIONS = 4,
    BATCH = 16,
    FILL_BATCH = 200,
    PIECE_BYTES = 1 << 19, /* of a huge string, at a time */
    ELEMENT_BYTES = 40,
    SMALL_BYTES = 24,
    STREAM_ENTRIES = 5,
    SAMPLES_MAX = 1 << 21, /* over half an hour of probes */
    OUT_BYTES = 2 << 20,
    NOISE_BYTES = 1 << 20,
};

enum type { STRING, HASH, LIST, SET, ZSET, STREAM };

/* Of a hundred keys of mixed data, those up to `below` are of this type and size. */
static const struct mix {
    unsigned below;
    enum type type;
    unsigned elements;
} mixes[] = {{50, STRING, 1}, {62, HASH, 5},   {63, HASH, 300}, {73, SET, 5},    {74, SET, 300},
             {84, ZSET, 5},   {85, ZSET, 300}, {94, LIST, 5},   {95, LIST, 300}, {100, STREAM, 5}};

static const struct data {
    const char *name;
    enum type type;
    unsigned value_bytes;
    bool is_text, is_huge, is_mixed;
} datas[] = {{"strings100", STRING, 100, false, false, false},
             {"strings1k", STRING, 1024, false, false, false},
             {"text100", STRING, 100, true, false, false},
             {"text1k", STRING, 1024, true, false, false},
             {"mixed", STRING, SMALL_BYTES, true, false, true},
             {"hash", HASH, ELEMENT_BYTES, false, true, false},
             {"list", LIST, ELEMENT_BYTES, false, true, false},
             {"zset", ZSET, ELEMENT_BYTES, false, true, false},
             {"string", STRING, 100, false, true, false}};

/* Commands that wait to be sent, and how many lines of replies they bring. */
struct batch {
    char *bytes;
    size_t used;
    unsigned long commands, lines;
};

struct sample {
    double at;
    double value;
};

static uint16_t port;
static const struct data *data;
static unsigned long count;
static _Atomic bool stop;
static struct sample probes[SAMPLES_MAX], writes[SAMPLES_MAX];
static unsigned char probe_lines[SAMPLES_MAX]; /* of the reply, still to come */
static unsigned long probe_count, write_count;
static double writer_cpu_s, probe_cpu_s;
static unsigned char noise[NOISE_BYTES];

static double
now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
sleep_until(double s)
{
    struct timespec ts = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        ;
}

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

/* draw: a thread's own random number. */
static uint64_t
draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 8;
}

/* ---- commands ---- */

static void
put_head(struct batch *b, unsigned args, unsigned lines)
{
    b->used += (size_t)sprintf(b->bytes + b->used, "*%u\r\n", args);
    b->commands++;
    b->lines += lines;
}

static void
put_arg(struct batch *b, const void *p, size_t n)
{
    b->used += (size_t)sprintf(b->bytes + b->used, "$%zu\r\n", n);
    memcpy(b->bytes + b->used, p, n);
    memcpy(b->bytes + b->used + n, "\r\n", 2);
    b->used += n + 2;
}

static void
put_word(struct batch *b, const char *word)
{
    put_arg(b, word, strlen(word));
}

/* put_number: a prefix and n; with a prefix n has twelve digits. */
static void
put_number(struct batch *b, const char *prefix, unsigned long n)
{
    char text[40];
    int bytes = snprintf(text, sizeof text, *prefix != 0 ? "%s%012lu" : "%s%lu", prefix, n);

    put_arg(b, text, (size_t)bytes);
}

static void
put_noise(struct batch *b, size_t n, uint64_t *rnd)
{
    put_arg(b, noise + draw(rnd) % (NOISE_BYTES - n), n);
}

static void
put_key(struct batch *b, unsigned long key)
{
    if (data->is_huge)
        put_word(b, "huge");
    else
        put_number(b, "key:", key);
}

static const struct mix *
mix_of(unsigned long key)
{
    const struct mix *m = mixes;

    while (key % 100 >= m->below)
        m++;
    return m;
}

/* put_write: change element `at` of a key of this type. */
static void
put_write(struct batch *b, enum type type, unsigned long key, unsigned long at, uint64_t *rnd)
{
    static const char *const names[] = {"SET", "HSET", "LSET", "SADD", "ZADD", "XADD"};
    static const unsigned args[] = {3, 4, 4, 3, 4, 7};
    const char *name = names[type];

    if (type == SET && draw(rnd) % 2 == 0)
        name = "SREM";
    put_head(b, data->is_huge && type == STRING ? 4 : args[type], type == STREAM ? 2 : 1);
    put_word(b, data->is_huge && type == STRING ? "SETRANGE" : name);
    put_key(b, key);
    switch (type) {
    case STRING:
        if (data->is_huge)
            put_number(b, "", at);
        break;
    case HASH:
        put_number(b, "f", at);
        break;
    case LIST:
        put_number(b, "", at);
        break;
    case SET:
        put_number(b, "m", at);
        return;
    case ZSET:
        put_number(b, "", draw(rnd) % 1000000);
        put_number(b, "m", at);
        return;
    case STREAM:
        put_word(b, "MAXLEN");
        put_number(b, "", STREAM_ENTRIES);
        put_word(b, "*");
        put_word(b, "field");
        break;
    }
    put_noise(b, data->value_bytes, rnd);
}

/* put_random_write: what the writer and the probe send. */
static void
put_random_write(struct batch *b, uint64_t *rnd)
{
    unsigned long at = draw(rnd) % count;
    const struct mix *m;

    if (data->is_huge && data->type == STRING)
        put_write(b, STRING, 0, draw(rnd) % (count - data->value_bytes), rnd);
    else if (data->is_huge || !data->is_mixed)
        put_write(b, data->type, at, at, rnd);
    else {
        m = mix_of(at);
        put_write(b, m->type, at, draw(rnd) % m->elements, rnd);
    }
}

/* put_elements: fill a key with the elements [from, to) by one command. */
static void
put_elements(struct batch *b, enum type type, unsigned long key, unsigned long from,
             unsigned long to, uint64_t *rnd)
{
    static const char *const names[] = {"SET", "HSET", "RPUSH", "SADD", "ZADD", "XADD"};
    unsigned each = type == HASH || type == ZSET ? 2 : 1;

    if (type == STREAM || type == STRING) {
        for (unsigned long i = from; i < to; i++)
            put_write(b, type, key, i, rnd);
        return;
    }
    put_head(b, (unsigned)(2 + each * (to - from)), 1);
    put_word(b, names[type]);
    put_key(b, key);
    for (unsigned long i = from; i < to; i++) {
        if (type == ZSET)
            put_number(b, "", draw(rnd) % 1000000);
        if (type != LIST)
            put_number(b, type == HASH ? "f" : "m", i);
        if (type == HASH || type == LIST)
            put_noise(b, data->value_bytes, rnd);
    }
}

/* ---- a connection ---- */

static int
dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void
send_batch(int fd, struct batch *b)
{
    for (size_t at = 0; at < b->used;) {
        ssize_t w = write(fd, b->bytes + at, b->used - at);

        if (w <= 0)
            die("write");
        at += (size_t)w;
    }
    b->used = 0;
}

/* read_lines: wait for n lines; no reply to these commands has bytes of the caller's in it. */
static void
read_lines(int fd, unsigned long n)
{
    char in[4096];
    bool is_first = true;

    while (n > 0) {
        ssize_t r = read(fd, in, sizeof in);

        if (r <= 0)
            die("read");
        for (ssize_t i = 0; i < r; i++) {
            if (is_first && in[i] == '-') {
                fprintf(stderr, "bench_writes: %.*s\n", (int)(r - i), in + i);
                exit(1);
            }
            is_first = in[i] == '\n';
            n -= is_first;
        }
    }
}

static void
flush(int fd, struct batch *b)
{
    send_batch(fd, b);
    read_lines(fd, b->lines);
    b->commands = b->lines = 0;
}

static void
batch_init(struct batch *b)
{
    if ((*b = (struct batch){.bytes = malloc(OUT_BYTES)}).bytes == NULL)
        die("malloc");
}

/* ---- filling ---- */

static void
fill_huge(int fd, struct batch *b, uint64_t *rnd)
{
    enum { EACH = 100 };

    if (data->type != STRING) {
        for (unsigned long i = 0; i < count; i += EACH) {
            put_elements(b, data->type, 0, i, i + EACH < count ? i + EACH : count, rnd);
            if (b->commands == BATCH)
                flush(fd, b);
        }
        flush(fd, b);
        return;
    }
    for (unsigned long end = count; end > 0;) { /* from its end: it has its size at once */
        unsigned long n = end < PIECE_BYTES ? end : PIECE_BYTES;

        put_head(b, 4, 1);
        put_word(b, "SETRANGE");
        put_word(b, "huge");
        put_number(b, "", end - n);
        put_noise(b, n, rnd);
        flush(fd, b);
        end -= n;
    }
}

static void
fill(void)
{
    uint64_t rnd = 88172645463325252ULL;
    struct batch b;
    int fd = dial();

    batch_init(&b);
    if (data->is_huge) {
        fill_huge(fd, &b, &rnd);
        return;
    }
    for (unsigned long i = 0; i < count; i++) {
        const struct mix *m = data->is_mixed ? mix_of(i) : &mixes[0];

        put_elements(&b, m->type, i, 0, m->elements, &rnd);
        if (b.commands >= FILL_BATCH || b.used > OUT_BYTES / 2)
            flush(fd, &b);
    }
    flush(fd, &b);
}

/* ---- the probe and the writer ---- */

/* take_replies: each line that has come answers the oldest probe under way. */
static void
take_replies(int fd, unsigned long sent)
{
    static char last = '\n';
    char in[4096];
    ssize_t r = read(fd, in, sizeof in);
    double now = now_s();

    if (r <= 0)
        die("read");
    for (ssize_t i = 0; i < r; last = in[i++]) {
        if (in[i] == '-' && last == '\n') {
            fprintf(stderr, "bench_writes: %.*s\n", (int)(r - i), in + i);
            exit(1);
        }
        if (in[i] != '\n' || --probe_lines[probe_count] > 0)
            continue;
        if (probe_count == sent)
            die("a reply to nothing");
        probes[probe_count].value = (now - probes[probe_count].at) * 1e6;
        probe_count++;
    }
}

static void *
probe_main(void *arg)
{
    uint64_t rnd = 0x9e3779b97f4a7c15ULL ^ (uint64_t)getpid() << 20;
    struct batch b;
    struct pollfd p = {.fd = dial(), .events = POLLIN};
    unsigned long sent = 0;
    double due = now_s();

    (void)arg;
    /* Best effort: what is to be seen is how late the server is, and not the probe. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -10);
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    batch_init(&b);
    while (!stop || probe_count < sent) {
        double left = due - now_s();
        struct timespec wait = {.tv_nsec = left > 0 ? (long)(left * 1e9) : 0};

        if (ppoll(&p, 1, stop ? NULL : &wait, NULL) > 0)
            take_replies(p.fd, sent);
        if (stop || now_s() < due || sent == SAMPLES_MAX)
            continue;
        put_random_write(&b, &rnd);
        probe_lines[sent] = (unsigned char)b.lines;
        probes[sent++].at = now_s();
        send_batch(p.fd, &b);
        b.lines = 0;
        /* A probe that woke up late does not send at once what it has missed. */
        due = now_s() > due + 0.001 ? now_s() + 0.001 : due + 0.001;
    }
    probe_cpu_s = (double)thread_ns() / 1e9;
    return NULL;
}

static void
note_writes(unsigned long answered, double now)
{
    if (write_count < SAMPLES_MAX && (write_count == 0 || now >= writes[write_count - 1].at + 0.01))
        writes[write_count++] = (struct sample){now, (double)answered};
}

/* write_load: rate a second, 0: at full speed. */
static void
write_load(unsigned long rate)
{
    uint64_t rnd = 0xbf58476d1ce4e5b9ULL ^ (uint64_t)getpid() << 20;
    unsigned long sent = 0, answered = 0;
    struct batch of[CONNECTIONS];
    int fd[CONNECTIONS];
    double begin = now_s();

    for (int i = 0; i < CONNECTIONS; i++) {
        batch_init(&of[i]);
        fd[i] = dial();
    }
    for (unsigned turn = 0; !stop; turn = (turn + 1) % CONNECTIONS) {
        struct batch *b = &of[turn];

        if (rate != 0 && now_s() < begin + (double)sent / (double)rate)
            sleep_until(begin + (double)sent / (double)rate);
        read_lines(fd[turn], b->lines);
        answered += b->commands;
        note_writes(answered, now_s());
        b->commands = b->lines = 0;
        while (b->commands < BATCH)
            put_random_write(b, &rnd);
        sent += BATCH;
        send_batch(fd[turn], b);
    }
    writer_cpu_s = (double)thread_ns() / 1e9;
}

struct writer {
    bool is_idle;
    unsigned long rate;
};

static void *
writer_main(void *arg)
{
    const struct writer *w = arg;

    if (!w->is_idle)
        write_load(w->rate);
    return NULL;
}

static void
run(const char *rate, const char *path)
{
    struct writer w = {strcmp(rate, "0") == 0,
                       strcmp(rate, "full") == 0 ? 0 : strtoul(rate, NULL, 10)};
    pthread_t probe, writer;
    FILE *f = fopen(path, "w");
    char byte;

    if (f == NULL)
        die(path);
    if (pthread_create(&probe, NULL, probe_main, NULL) != 0 ||
        pthread_create(&writer, NULL, writer_main, &w) != 0)
        die("pthread_create");
    while (read(0, &byte, 1) > 0)
        ;
    stop = true;
    pthread_join(writer, NULL);
    pthread_join(probe, NULL);
    for (unsigned long i = 0; i < probe_count; i++)
        fprintf(f, "p %.6f %.1f\n", probes[i].at, probes[i].value);
    for (unsigned long i = 0; i < write_count; i++)
        fprintf(f, "w %.6f %.0f\n", writes[i].at, writes[i].value);
    fprintf(f, "c %.3f %.3f\n", writer_cpu_s, probe_cpu_s);
    if (fclose(f) != 0)
        die(path);
}

static void
make_noise(bool is_text)
{
    static const char *const words[] = {"user:",  "name=",  "2026-11-29 ", "value ",
                                        "alpha ", "total=", "true ",       "https://"};

    for (size_t i = 0; i < NOISE_BYTES;) {
        const char *word = words[next_random() >> 20 & 7];

        if (is_text) {
            for (; *word != 0 && i < NOISE_BYTES; word++)
                noise[i++] = (unsigned char)*word;
            if (i < NOISE_BYTES)
                noise[i++] = (unsigned char)('0' + (next_random() >> 20) % 10);
        } else
            noise[i++] = (unsigned char)(next_random() >> 32);
    }
}

int
main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    bool is_fill = argc == 5 && strcmp(what, "fill") == 0;

    if (!is_fill && !(argc == 7 && strcmp(what, "run") == 0)) {
        fprintf(stderr, "usage: bench_writes PORT fill DATA COUNT\n"
                        "       bench_writes PORT run DATA COUNT RATE FILE\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    for (size_t i = 0; i < sizeof datas / sizeof *datas; i++)
        if (strcmp(datas[i].name, argv[3]) == 0)
            data = &datas[i];
    count = strtoul(argv[4], NULL, 10);
    if (data == NULL || count < 1000) {
        fprintf(stderr, "bench_writes: no data '%s', or fewer than 1000 of it\n", argv[3]);
        return 2;
    }
    make_noise(data->is_text);
    if (is_fill)
        fill();
    else
        run(argv[5], argv[6]);
    return 0;
}
