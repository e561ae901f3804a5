/* TLS by OpenSSL 3: TLS 1.2 and later, forward secrecy and AEAD only, ALPN http/1.1, optional client certificates. */
#include "internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void explain(const char *what, const char *file, char *error, size_t error_size) {
  char reason[160];
  unsigned long code = ERR_get_error();
  ERR_error_string_n(code, reason, sizeof reason);
  (void)snprintf(error, error_size, "%s %s: %s", what, file ? file : "(none)", code ? reason : "failed");
  ERR_clear_error();
}

/* RFC 7301: a client that offers protocols without http/1.1 is refused, one that offers none is served. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                           unsigned int offered_length, void *unused) {
  static const unsigned char supported[] = "\x08http/1.1";
  (void)ssl;
  (void)unused;
  unsigned char *found;
  if (SSL_select_next_proto(&found, length, supported, sizeof supported - 1, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

static bool load_files(SSL_CTX *context, const chs_tls_config *config, char *error, size_t error_size) {
  if (SSL_CTX_use_certificate_chain_file(context, config->certificate_file) != 1) {
    explain("certificate", config->certificate_file, error, error_size);
    return false;
  }
  if (!config->key_file || SSL_CTX_use_PrivateKey_file(context, config->key_file, SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    explain("private key", config->key_file, error, error_size);
    return false;
  }
  if (!config->client_ca_file) return true;
  STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(config->client_ca_file);
  if (!names || SSL_CTX_load_verify_file(context, config->client_ca_file) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    explain("client CA", config->client_ca_file, error, error_size);
    return false;
  }
  SSL_CTX_set_client_CA_list(context, names);
  int mode = SSL_VERIFY_PEER | (config->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  SSL_CTX_set_verify(context, mode, NULL);
  return true;
}

void *chs_tls_context_create(const chs_tls_config *config, char *error, size_t error_size) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (!context) {
    explain("TLS", "context", error, error_size);
    return NULL;
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF;
  if (config->kernel) options |= SSL_OP_ENABLE_KTLS;
  SSL_CTX_set_options(context, options);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  static const unsigned char session_context[] = "chs";
  bool ready =
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
      SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1) == 1;
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
  /* Tickets resume sessions without memory of ours; the cache would hold some for every client. */
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  if (!ready) explain("TLS", "cipher suites", error, error_size);
  if (!ready || !load_files(context, config, error, error_size)) {
    SSL_CTX_free(context);
    return NULL;
  }
  return context;
}

void chs_tls_context_free(void *context) { SSL_CTX_free(context); }

bool chs_tls_begin(chs_conn *conn, chs_server *server) {
  pthread_mutex_lock(&server->tls_lock);
  SSL *ssl = SSL_new(server->tls_context);
  pthread_mutex_unlock(&server->tls_lock);
  if (!ssl) return false;
  if (SSL_set_fd(ssl, conn->fd) != 1) {
    SSL_free(ssl);
    return false;
  }
  SSL_set_accept_state(ssl);
  conn->tls = ssl;
  conn->transport = &chs_tls_transport;
  conn->input = CHS_IN_HANDSHAKE;
  return true;
}

/* OpenSSL keeps its errors per thread: one connection's must not be taken for the next one's. */
static int verdict(chs_conn *conn, int result) {
  int error = SSL_get_error(conn->tls, result);
  ERR_clear_error();
  switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return CHS_IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
      return CHS_IO_EOF;
    default:
      return CHS_IO_FAILED;
  }
}

static ssize_t tls_read(chs_conn *conn, void *bytes, size_t length) {
  int count = SSL_read(conn->tls, bytes, length > INT_MAX ? INT_MAX : (int)length);
  return count > 0 ? count : verdict(conn, count);
}

static ssize_t tls_write(chs_conn *conn, const struct iovec *parts, int count) {
  ssize_t total = 0;
  for (int index = 0; index < count; index++) {
    if (parts[index].iov_len == 0) continue;
    size_t length = parts[index].iov_len > INT_MAX ? INT_MAX : parts[index].iov_len;
    size_t at = 0;
    while (at < length) {
      int sent = SSL_write(conn->tls, (const uint8_t *)parts[index].iov_base + at, (int)(length - at));
      if (sent <= 0) {
        int result = verdict(conn, sent);
        return result == CHS_IO_AGAIN ? (total > 0 ? total : CHS_IO_AGAIN) : CHS_IO_FAILED;
      }
      at += (size_t)sent;
      total += sent;
    }
  }
  return total;
}

static bool is_visible(const unsigned char *text, size_t length) {
  for (size_t at = 0; at < length; at++) {
    if (text[at] < 0x21 || text[at] > 0x7e) return false;
  }
  return length > 0;
}

/* The URIs among the alternative names (RFC 5280, section 4.2.1.6), each with a line feed behind it. One with anything but
 * visible characters is left out, so that none can pass for two or for another. */
static void note_uris(chs_conn *conn, X509 *certificate) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  if (!names) return;
  size_t length = 0;
  for (int at = 0; at < sk_GENERAL_NAME_num(names); at++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, at);
    if (name->type != GEN_URI) continue;
    const unsigned char *text = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    size_t size = (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier);
    if (!is_visible(text, size)) continue;
    char *grown = realloc(conn->uris, length + size + 2);
    if (!grown) break;
    memcpy(grown + length, text, size);
    memcpy(grown + length + size, "\n", 2);
    length += size + 1;
    conn->uris = grown;
  }
  GENERAL_NAMES_free(names);
}

static void note_subject(chs_conn *conn) {
  X509 *certificate = SSL_get0_peer_certificate(conn->tls);
  if (!certificate || SSL_get_verify_result(conn->tls) != X509_V_OK) return;
  note_uris(conn, certificate);
  BIO *text = BIO_new(BIO_s_mem());
  if (!text) return;
  char *bytes = NULL;
  if (X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
    long length = BIO_get_mem_data(text, &bytes);
    if (length > 0) conn->subject = strndup(bytes, (size_t)length);
  }
  BIO_free(text);
}

static int tls_handshake(chs_conn *conn) {
  int result = SSL_accept(conn->tls);
  if (result == 1) {
    note_subject(conn);
    return 1;
  }
  return verdict(conn, result) == CHS_IO_AGAIN ? CHS_IO_AGAIN : CHS_IO_FAILED;
}

static void tls_shut(chs_conn *conn) {
  if (SSL_is_init_finished(conn->tls)) (void)SSL_shutdown(conn->tls);
  ERR_clear_error();
  (void)shutdown(conn->fd, SHUT_WR);
}

static void tls_close(chs_conn *conn) {
  SSL_free(conn->tls);
  conn->tls = NULL;
  (void)close(conn->fd);
}

/* Head and body share a record where they fit: a record costs more than copying 16 KB. */
const chs_transport chs_tls_transport = {
    .read = tls_read,
    .write = tls_write,
    .handshake = tls_handshake,
    .shut = tls_shut,
    .close = tls_close,
    .gather_below = 16 * 1024,
};
