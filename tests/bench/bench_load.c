/* tests/bench/bench_load.c - a writer and a probe over sockets, for tests/bench/server.py.
 *
 *   bench_load PORT KEYS VALUE_BYTES SECONDS RATE PIPELINE
 *
 * The writer sends SET key:<random below KEYS> <random bytes>, PIPELINE at a time, RATE a second
 * (0: full speed).  The probe sends one GET each millisecond on a connection of its own and notes
 * how long the reply took.  Prints one line:
 *
 *   writes_per_s probe_p50_us probe_p99_us probe_p999_us probe_max_us probes
 *
 * With "fill" instead of SECONDS it sets each key once and stops. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROBES_MAX = 1000000, OUT_BYTES = 1 << 20 };

static uint16_t port;
static unsigned long keys, value_bytes, rate, pipeline;
static _Atomic int stop;
static double probe_us[PROBES_MAX];
static unsigned long probes;
static unsigned char noise[1 << 20]; /* random bytes; a value is a piece of it */

static double
now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
sleep_s(double s)
{
    struct timespec ts = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};

    nanosleep(&ts, NULL);
}

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

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
send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w <= 0)
            die("write");
        p += w;
        n -= (size_t)w;
    }
}

/* read_lines: wait for n reply lines ("+OK\r\n"). */
static void
read_lines(int fd, unsigned long n)
{
    static char in[65536];

    while (n > 0) {
        ssize_t r = read(fd, in, sizeof in);

        if (r <= 0)
            die("read");
        for (ssize_t i = 0; i < r; i++)
            if (in[i] == '\n')
                n--;
        if (in[0] == '-') {
            fprintf(stderr, "bench_load: %.*s", (int)r, in);
            exit(1);
        }
    }
}

static uint64_t seed = 0x9e3779b97f4a7c15ULL;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t
put_set(char *out, unsigned long key)
{
    char name[24];
    int len = snprintf(name, sizeof name, "key:%012lu", key);
    size_t n =
        (size_t)sprintf(out, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%lu\r\n", len, name, value_bytes);

    memcpy(out + n, noise + next_random() % (sizeof noise - value_bytes), value_bytes);
    n += value_bytes;
    memcpy(out + n, "\r\n", 2);
    return n + 2;
}

static void *
probe_main(void *arg)
{
    char out[80], in[65536];
    int fd = dial();

    (void)arg;
    while (!stop && probes < PROBES_MAX) {
        int n = snprintf(out, sizeof out, "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012lu\r\n",
                         (unsigned long)(now_s() * 1e6) % keys);
        double start = now_s();

        send_all(fd, out, (size_t)n);
        if (read(fd, in, sizeof in) <= 0)
            break;
        probe_us[probes++] = (now_s() - start) * 1e6;
        sleep_s(0.001);
    }
    close(fd);
    return NULL;
}

static unsigned long
write_load(int fd, double seconds, bool fill)
{
    static char out[OUT_BYTES];
    double start = now_s();
    unsigned long sent = 0;

    while (fill ? sent < keys : now_s() - start < seconds) {
        size_t n = 0;
        unsigned long i;

        for (i = 0; i < pipeline && !(fill && sent + i >= keys); i++)
            n += put_set(out + n, fill ? sent + i : next_random() % keys);
        send_all(fd, out, n);
        read_lines(fd, i);
        sent += i;
        if (rate != 0) {
            double ahead = (double)sent / (double)rate - (now_s() - start);

            if (ahead > 0)
                sleep_s(ahead);
        }
    }
    return sent;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
    pthread_t probe;
    double start;
    unsigned long sent;
    bool fill;

    if (argc != 7) {
        fprintf(stderr, "usage: bench_load PORT KEYS VALUE_BYTES SECONDS|fill RATE PIPELINE\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    keys = strtoul(argv[2], NULL, 10);
    value_bytes = strtoul(argv[3], NULL, 10);
    fill = strcmp(argv[4], "fill") == 0;
    rate = strtoul(argv[5], NULL, 10);
    pipeline = strtoul(argv[6], NULL, 10);
    if (pipeline == 0 || pipeline * (value_bytes + 64) > OUT_BYTES || value_bytes >= sizeof noise ||
        keys == 0) {
        fprintf(stderr, "bench_load: pipeline or value too large\n");
        return 2;
    }
    seed ^= (uint64_t)getpid() << 32;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(next_random() >> 32);
    if (!fill)
        pthread_create(&probe, NULL, probe_main, NULL);
    start = now_s();
    sent = write_load(dial(), atof(argv[4]), fill);
    printf("%.0f", (double)sent / (now_s() - start));
    stop = 1;
    if (!fill) {
        pthread_join(probe, NULL);
        if (probes == 0)
            probe_us[probes++] = 0;
        qsort(probe_us, probes, sizeof *probe_us, by_value);
        printf(" %.0f %.0f %.0f %.0f %lu", probe_us[probes / 2], probe_us[probes * 99 / 100],
               probe_us[probes * 999 / 1000], probe_us[probes - 1], probes);
    }
    printf("\n");
    return 0;
}
