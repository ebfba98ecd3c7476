/* server/net/tls/tls_memory.c - what the library holds, and what it says went wrong. */
#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/tls/tls_impl.h"

/* A record's buffer is taken and given back with each read and each write, so that idle connections
 * have none.  Some are kept in between: the C library would often give the pages back to the
 * system, and take them again. */
enum { BUFFER_LEAST = 16 * 1024, BUFFER_BYTES = 18 * 1024, KEPT_MAX = 16 };

static size_t heap_bytes;
static void *kept[KEPT_MAX];
static unsigned kept_count;

size_t
tls_heap_bytes(void)
{
    return heap_bytes;
}

static void *
take(size_t bytes, const char *file, int line)
{
    bool is_buffer = bytes > BUFFER_LEAST && bytes <= BUFFER_BYTES;
    void *p = is_buffer && kept_count > 0 ? kept[--kept_count]
                                          : malloc(is_buffer ? (size_t)BUFFER_BYTES : bytes);

    (void)file;
    (void)line;
    heap_bytes += p != NULL ? malloc_usable_size(p) : 0;
    return p;
}

static void
give_back(void *p, const char *file, int line)
{
    size_t bytes = p != NULL ? malloc_usable_size(p) : 0;

    (void)file;
    (void)line;
    heap_bytes -= bytes;
    if (bytes >= BUFFER_BYTES && bytes < BUFFER_BYTES + BUFFER_LEAST / 16 && kept_count < KEPT_MAX)
        kept[kept_count++] = p;
    else
        free(p);
}

static void *
change(void *p, size_t bytes, const char *file, int line)
{
    size_t before = p != NULL ? malloc_usable_size(p) : 0;
    void *changed;

    if (bytes == 0) {
        give_back(p, file, line);
        return NULL;
    }
    if ((changed = realloc(p, bytes)) != NULL)
        heap_bytes += malloc_usable_size(changed) - before;
    return changed;
}

/* Where the library has memory already it keeps its own functions, and the figure stays 0. */
void
tls_count_memory(void)
{
    (void)CRYPTO_set_mem_functions(take, change, give_back);
}

const char *
tls_reason(void)
{
    unsigned long e = ERR_peek_error();
    const char *text;

    if (e == 0)
        return "no reason was given";
    if (ERR_SYSTEM_ERROR(e))
        return strerror((int)ERR_GET_REASON(e));
    text = ERR_reason_error_string(e);
    return text != NULL ? text : "a reason without a name";
}
