/* server/net/tls/tls_context.c - from the parameters to what connections are made of, and how it
 * changes while the server runs (TL1). */
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/net/tls/tls_impl.h"

static SSL_CTX *held, *tried;
static char why_not[1024];

/* The parameters whose change makes a new context. */
static const char *const names[] = {"tls-cert-file",
                                    "tls-key-file",
                                    "tls-key-file-pass",
                                    "tls-dh-params-file",
                                    "tls-ca-cert-file",
                                    "tls-ca-cert-dir",
                                    "tls-auth-clients",
                                    "tls-protocols",
                                    "tls-ciphers",
                                    "tls-ciphersuites",
                                    "tls-prefer-server-ciphers",
                                    "tls-session-caching",
                                    "tls-session-cache-size",
                                    "tls-session-cache-timeout"};

SSL_CTX *
tls_context(void)
{
    return held;
}

/* False, for its caller to return. */
static bool
refuse(const char *name, const char *value, const char *reason)
{
    snprintf(why_not, sizeof why_not, "%s%s%.300s: %.300s", name, value[0] != '\0' ? " " : "",
             value, reason);
    return false;
}

/* ---- which versions ---- */

static const struct version {
    const char *name;
    int number;
    uint64_t off;
} versions[] = {{"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
                {"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
                {"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
                {"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3}};
enum { VERSIONS = sizeof versions / sizeof versions[0] };

/* By its name in any case; -1: none has it. */
static int
find_version(const char *word, size_t len)
{
    for (int i = 0; i < VERSIONS; i++)
        if (strlen(versions[i].name) == len && strncasecmp(versions[i].name, word, len) == 0)
            return i;
    return -1;
}

/* The words of tls-protocols as bits; without one: 1.2 and 1.3.  0: a word is none. */
static unsigned
wanted_versions(const char *words)
{
    unsigned wanted = 0;

    for (const char *p = words + strspn(words, " "); *p != '\0'; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        int i = find_version(p, len);

        if (i < 0)
            return 0;
        wanted |= 1U << i;
        p += len;
    }
    return wanted != 0 ? wanted : 1U << 2 | 1U << 3;
}

/* The least version is said, too: what is configured here goes before the system's own limit. */
static bool
set_versions(SSL_CTX *ctx, const struct config *conf)
{
    unsigned wanted = wanted_versions(conf->tls_protocols);

    if (wanted == 0)
        return refuse("tls-protocols", conf->tls_protocols,
                      "TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3 are known");
    for (int i = 0; i < VERSIONS; i++)
        if ((wanted & 1U << i) == 0)
            SSL_CTX_set_options(ctx, versions[i].off);
    SSL_CTX_set_min_proto_version(ctx, versions[__builtin_ctz(wanted)].number);
    return true;
}

/* ---- certificates and keys ---- */

static bool was_asked; /* for the password of the key that is read */

/* The library asks for the password of a key; it must never ask at a terminal. */
static int
give_password(char *into, int room, int is_for_writing, void *password)
{
    int len = snprintf(into, (size_t)room, "%s", (const char *)password);

    (void)is_for_writing;
    was_asked = true;
    return len > 0 && len < room ? len : -1;
}

/* Of these the library says what it did within, and not what the file lacks. */
static const char *
certificate_reason(void)
{
    unsigned long e = ERR_peek_error();

    if (ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE)
        return "there is no certificate in PEM in it";
    return tls_reason();
}

static const char *
key_reason(const struct config *conf)
{
    int library = ERR_GET_LIB(ERR_peek_error());

    if (library == ERR_LIB_X509) /* read, but of another certificate */
        return tls_reason();
    if (was_asked)
        return conf->tls_key_file_pass[0] == '\0' ? "it has a password: tls-key-file-pass"
                                                  : "tls-key-file-pass is not its password";
    return library == ERR_LIB_OSSL_DECODER ? "there is no private key in PEM in it" : tls_reason();
}

static bool
set_own_certificate(SSL_CTX *ctx, const struct config *conf)
{
    bool ok;

    if (conf->tls_cert_file[0] == '\0')
        return refuse("tls-cert-file", "", "none is given, and TLS needs one");
    if (conf->tls_key_file[0] == '\0')
        return refuse("tls-key-file", "", "none is given, and TLS needs one");
    if (SSL_CTX_use_certificate_chain_file(ctx, conf->tls_cert_file) <= 0)
        return refuse("tls-cert-file", conf->tls_cert_file, certificate_reason());
    ERR_clear_error();
    was_asked = false;
    SSL_CTX_set_default_passwd_cb(ctx, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, conf->tls_key_file_pass);
    ok = SSL_CTX_use_PrivateKey_file(ctx, conf->tls_key_file, SSL_FILETYPE_PEM) > 0;
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    return ok || refuse("tls-key-file", conf->tls_key_file, key_reason(conf));
}

static bool
set_dh_params(SSL_CTX *ctx, const struct config *conf)
{
    const char *path = conf->tls_dh_params_file;
    EVP_PKEY *params = NULL;
    BIO *in;

    if (path[0] == '\0')
        return true;
    if ((in = BIO_new_file(path, "r")) != NULL)
        params = PEM_read_bio_Parameters(in, NULL);
    BIO_free(in);
    if (params == NULL)
        return refuse("tls-dh-params-file", path, tls_reason());
    if (SSL_CTX_set0_tmp_dh_pkey(ctx, params) > 0) /* it owns them now */
        return true;
    EVP_PKEY_free(params);
    return refuse("tls-dh-params-file", path, tls_reason());
}

/* The library looks into the directory at each handshake, and would not say that it is missing. */
static bool
is_directory(const char *path)
{
    DIR *d = opendir(path);

    if (d == NULL)
        return false;
    closedir(d);
    return true;
}

static bool
set_trusted(SSL_CTX *ctx, const struct config *conf)
{
    const char *file = conf->tls_ca_cert_file, *dir = conf->tls_ca_cert_dir;
    static const int modes[] = {
        [TLS_AUTH_NO] = SSL_VERIFY_NONE,
        [TLS_AUTH_OPTIONAL] = SSL_VERIFY_PEER,
        [TLS_AUTH_YES] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };

    if (conf->tls_auth_clients != TLS_AUTH_NO && file[0] == '\0' && dir[0] == '\0')
        return refuse(
            "tls-auth-clients", "",
            "whose certificates are trusted has to be said with tls-ca-cert-file or tls-ca-cert-dir, or none asked for: tls-auth-clients no");
    SSL_CTX_set_verify(ctx, modes[conf->tls_auth_clients], NULL);
    if (file[0] != '\0' && SSL_CTX_load_verify_file(ctx, file) <= 0)
        return refuse("tls-ca-cert-file", file, tls_reason());
    if (dir[0] != '\0' && !is_directory(dir))
        return refuse("tls-ca-cert-dir", dir, strerror(errno));
    if (dir[0] != '\0' && SSL_CTX_load_verify_dir(ctx, dir) <= 0)
        return refuse("tls-ca-cert-dir", dir, tls_reason());
    return true;
}

/* ---- ciphers and sessions ---- */

static bool
set_ciphers(SSL_CTX *ctx, const struct config *conf)
{
    if (conf->tls_ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, conf->tls_ciphers) <= 0)
        return refuse("tls-ciphers", conf->tls_ciphers, tls_reason());
    if (conf->tls_ciphersuites[0] != '\0' &&
        SSL_CTX_set_ciphersuites(ctx, conf->tls_ciphersuites) <= 0)
        return refuse("tls-ciphersuites", conf->tls_ciphersuites, tls_reason());
    if (conf->tls_prefer_server_ciphers)
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    return true;
}

/* Without caching no session is taken up again, neither one that we keep nor one that the client
 * does (tickets). */
static void
set_sessions(SSL_CTX *ctx, const struct config *conf)
{
    static const unsigned char name[] = "stillframe";

    if (!conf->tls_session_caching) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_num_tickets(ctx, 0);
        return;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(ctx, conf->tls_session_cache_size);
    SSL_CTX_set_timeout(ctx, conf->tls_session_cache_timeout_s);
    (void)SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1);
}

/* ---- all of it ---- */

/* Partial writes: a call writes one record.  Moving buffers: what is offered again may stand
 * elsewhere.  Released buffers: an idle connection keeps none.  A connection that ends without
 * having said so is no error: a command that is cut is not executed.  Reading ahead: a record, and
 * those behind it, with one call of the system. */
static SSL_CTX *
make_plain_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(ctx, 1);
    return ctx;
}

/* NULL: why_not says why. */
static SSL_CTX *
make_context(const struct config *conf)
{
    SSL_CTX *ctx;

    ERR_clear_error();
    if ((ctx = make_plain_context()) == NULL) {
        refuse("TLS", "", tls_reason());
        return NULL;
    }
    if (set_versions(ctx, conf) && set_own_certificate(ctx, conf) && set_dh_params(ctx, conf) &&
        set_trusted(ctx, conf) && set_ciphers(ctx, conf)) {
        set_sessions(ctx, conf);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

bool
tls_try(const struct config *next, const char **why)
{
    static char text[sizeof why_not + 64];

    SSL_CTX_free(tried);
    tried = NULL;
    if (next == &config || next->tls_port == 0)
        return true;
    if ((tried = make_context(next)) != NULL)
        return true;
    log_line(LOG_WARNING, "TLS cannot be configured: %s", why_not);
    snprintf(text, sizeof text, "Unable to update TLS configuration: %s", why_not);
    *why = text;
    return false;
}

void
tls_hold(void)
{
    if (tried == NULL)
        return;
    SSL_CTX_free(held); /* its connections hold on to it */
    held = tried;
    tried = NULL;
}

bool
tls_start(const char **why)
{
    tls_count_memory();
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        config_on_change(names[i], tls_try);
    config_after_change(tls_hold);
    *why = why_not;
    return config.tls_port == 0 || (held = make_context(&config)) != NULL;
}
