/* server/commands/server/lolwut.c - LOLWUT: a still frame, a moving world behind it. */
#include <math.h>

#include "mm/base/clock.h"
#include "mm/base/text.h"
#include "mm/base/version.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

enum { WIDTH = 64, HEIGHT = 14 };

/* Waves that move with the clock; within the frame they stand still. */
static char
wave(int x, int y, double time)
{
    static const char shades[] = " .:-=+*#";
    bool within = x > 15 && x < 48 && y > 2 && y < 11,
         edge = (x == 15 || x == 48) ? y >= 2 && y <= 11 : false;
    double t = within ? 0 : time, v;

    edge |= (y == 2 || y == 11) && x >= 15 && x <= 48;
    if (edge)
        return (x == 15 || x == 48) && (y == 2 || y == 11) ? '+' : y == 2 || y == 11 ? '-' : '|';
    v = sin(x * 0.21 + t) + sin(y * 0.47 - t * 0.7) + sin((x + y) * 0.13 + t * 1.3);
    return shades[(int)((v + 3) / 6 * 7.99)];
}

/* LOLWUT [VERSION n ...] -> a drawing and the version. */
void
cmd_lolwut(struct client *c)
{
    double time = (double)(clock_now.ms % 3600000) / 700;
    struct text t = {0};
    int64_t n;

    if (c->argc >= 3 && arg_is(c, 1, "version") && !arg_int(c, 2, &n))
        return;
    for (int y = 0; y < HEIGHT; y++) {
        char line[WIDTH + 1];
        for (int x = 0; x < WIDTH; x++)
            line[x] = wave(x, y, time);
        line[WIDTH] = '\n';
        text_add_bytes(&t, line, sizeof line);
    }
    text_addf(&t, "\nStillframe %s, for Redis ver. %s\n", STILLFRAME_VERSION,
              STILLFRAME_REDIS_VERSION);
    reply_verbatim(c, "txt", text_str(&t), t.len);
    text_free(&t);
}
