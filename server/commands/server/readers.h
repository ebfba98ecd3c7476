/* server/commands/server/readers.h - clients that get a copy of the data through their connection:
 * SYNC and PSYNC.
 *
 *     WAITS --a copy begins--> TAKES --all was sent--> HAS_ALL --it closes--> (gone)
 *       |                        |  cancelled, too slow, its connection ends     ^
 *       +------------------------+-----------------------------------------------+
 *
 * A reader is a blocked client.  The copy is a snapshot, one at a time, whose sink (sink_socket.h)
 * sends to all who waited when it began.  It writes through a second descriptor of the socket,
 * which is closed when the copy has ended, so that a client may be closed at any time: its
 * connection is shut down, and the sink finds that out.  The loop writes nothing to a client that
 * TAKES; one behind TLS gets the copy through a pump (reader_pump.h), and HAS_ALL when the writer
 * is done, while the pump sends on what is left.
 *
 * Nothing follows the copy: what changes afterwards is not told.  So a reader is no replica.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_SERVER_READERS_H
#define SERVER_COMMANDS_SERVER_READERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

/* What a client has said with REPLCONF (client.copy_wishes). */
enum copy_wish {
    WISH_EOF = 1 << 0,      /* it can read a file whose length is not said beforehand */
    WISH_FILE = 1 << 1,     /* it wants the file, and nothing behind it */
    WISH_NO_DATA = 1 << 2,  /* no keys, but */
    WISH_LIBRARIES = 1 << 3 /* function libraries */
};

enum reader_state { READER_WAITS, READER_TAKES, READER_HAS_ALL, READER_STATES };

/* readers_init: at start. */
void readers_init(void);
/* readers_add: the running command of c waits for a copy, as c->copy_wishes says.  with_id: it is
 * told the run's number first, as PSYNC wants it.  It may wait, and gets nothing else: no messages,
 * no lines of MONITOR.  0 or -ENOMEM. */
int readers_add(struct client *c, bool with_id);
unsigned readers_count(enum reader_state state);
unsigned readers_count_all(void);

#endif
