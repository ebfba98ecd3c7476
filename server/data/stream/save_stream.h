/* server/data/stream/save_stream.h - a stream through the view.
 * Threads: save_value.h. */
#ifndef SERVER_DATA_STREAM_SAVE_STREAM_H
#define SERVER_DATA_STREAM_SAVE_STREAM_H

struct save_work;
struct stream;

/* save_stream: all of it, in the form that w->enc->version has.  0 or -errno */
int save_stream(struct save_work *w, const struct stream *live);

#endif
