/* server/net/tls/tls_impl.h - what the files of this folder share.
 * Threads: mutator. */
#ifndef SERVER_NET_TLS_TLS_IMPL_H
#define SERVER_NET_TLS_TLS_IMPL_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "server/net/tls/tls.h"

/* tls_context: what new connections are made of; NULL: nothing was configured. */
SSL_CTX *tls_context(void);
/* tls_reason: the first error that the library has noted since ERR_clear_error(). */
const char *tls_reason(void);
/* tls_count_memory: before the library does anything. */
void tls_count_memory(void);

#endif
