/* server/commands/server/reader_pump.h - a copy for a reader behind TLS, on its way from the writer
 * to the reader.
 *
 * What a connection through TLS holds belongs to the loop, and the copy comes from another thread.
 * So the writer sends it into a pair of sockets, as it does into a connection, and the loop takes
 * it out at the other end and sends it on, encrypted:
 *
 *     writer --> pair of sockets --> pump, in the loop --> client's output --> TLS
 *
 * The pump takes nothing out while the client has something pending: so no more than the pair's
 * buffers and PUMP_BYTES are ever on their way, and what the reader takes slowly the writer feels,
 * with all its bounds (sink_socket.h).
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SERVER_READER_PUMP_H
#define SERVER_COMMANDS_SERVER_READER_PUMP_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct reader_pump;

enum {
    PUMP_BYTES = 64 * 1024,      /* at once for a reader */
    PUMP_TURN_BYTES = 512 * 1024 /* in a turn, for all: about half a millisecond of encryption */
};

/* reader_pump_open: *ret_fd: where the writer sends to, the caller's.  NULL: errno says why. */
struct reader_pump *reader_pump_open(struct client *c, int *ret_fd);
/* reader_pump_close: nothing more is sent on.  NULL is fine. */
void reader_pump_close(struct reader_pump *p);
/* reader_pump_is_done: the writer has closed its end, and all has gone into the connection. */
bool reader_pump_is_done(const struct reader_pump *p);
/* reader_pump_moved_ms: when it has moved something last, unix. */
int64_t reader_pump_moved_ms(const struct reader_pump *p);

/* reader_pumps_run: to be called in each turn, by a task, while there are any. */
void reader_pumps_run(void);
bool reader_pumps_exist(void);

#endif
