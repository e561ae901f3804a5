/* The border between the C server and its caller: HTTP/1.1 requests in, responses out.
 *
 * Threads. chs_server_start makes one thread per loop. Every callback of chs_callbacks runs on a loop thread and must
 * not block. Functions marked "any thread" may be called from anywhere, callbacks included; the rest belong to the one
 * thread that owns the server.
 *
 * Ownership. Memory handed to a callback is valid until the callback returns. Memory handed to the server is copied,
 * except a response body that comes with a `release` function: it is borrowed until `release(owner)` has run, exactly
 * once, on whatever thread. `user`, which on_request returns, belongs to the caller and is given back by on_done,
 * exactly once.
 *
 * Limits. Nothing grows without a bound of chs_config; 0 never means "unlimited" unless it says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Parser: bytes in, offsets out, no allocation, no I/O ---- */

/* Most fields a head can hold; chs_parse_limits.fields may ask for fewer. */
#define CHS_MAX_FIELDS 128

/* A part of the bytes that were parsed. */
typedef struct chs_span {
  uint32_t at;
  uint32_t length;
} chs_span;

typedef struct chs_field {
  chs_span name;  /* token, RFC 9110 5.6.2 */
  chs_span value; /* without the whitespace around it */
} chs_field;

/* A request head by RFC 9112 sections 3 and 5, with its framing (section 6) decided. */
typedef struct chs_head {
  chs_span method;
  chs_span path;  /* raw; length 0 stands for "/" in absolute-form; "*" in asterisk-form */
  chs_span query; /* raw, without "?" */
  chs_span host;  /* authority of the target, else the Host field */
  uint32_t field_count;
  uint8_t minor_version; /* 0 or 1; a higher one is treated as 1 */
  bool keep_alive;
  bool expect_continue;
  bool chunked;
  int64_t content_length; /* -1 without Content-Length */
  chs_field fields[CHS_MAX_FIELDS];
} chs_head;

/* Why bytes were refused. Stable: clients see chs_error_code as text. */
typedef enum chs_error {
  CHS_OK = 0,
  CHS_BAD_BYTE,
  CHS_BAD_REQUEST_LINE,
  CHS_BAD_METHOD,
  CHS_BAD_TARGET,
  CHS_BAD_VERSION,
  CHS_VERSION_UNSUPPORTED,
  CHS_BAD_FIELD_NAME,
  CHS_BAD_FIELD_VALUE,
  CHS_FOLDED_FIELD,
  CHS_BAD_HOST,
  CHS_BAD_CONTENT_LENGTH,
  CHS_BAD_TRANSFER_ENCODING,
  CHS_TRANSFER_ENCODING_UNSUPPORTED,
  CHS_AMBIGUOUS_FRAMING,
  CHS_BAD_CONNECTION,
  CHS_EXPECTATION_FAILED,
  CHS_CONNECT_UNSUPPORTED,
  CHS_TARGET_TOO_LONG,
  CHS_HEAD_TOO_LARGE,
  CHS_TOO_MANY_FIELDS,
  CHS_BAD_CHUNK,
  CHS_CHUNK_EXTENSIONS_TOO_LARGE,
  CHS_TRAILERS_TOO_LARGE,
  CHS_BODY_TOO_LARGE,
  CHS_REQUEST_TIMEOUT,
  CHS_BODY_MEMORY_FULL,
  CHS_BODY_SHARE_FULL,
  CHS_ERROR_COUNT
} chs_error;

int chs_error_status(chs_error error);
const char *chs_error_code(chs_error error);     /* snake_case */
const char *chs_error_sentence(chs_error error); /* for a person */

/* Reason phrase of a status code (RFC 9110, section 15, and the registry's additions in use); "" for others. */
const char *chs_status_reason(int status);

typedef struct chs_parse_limits {
  uint32_t target_bytes;    /* request target */
  uint32_t head_bytes;      /* request line and fields together */
  uint32_t fields;          /* at most CHS_MAX_FIELDS */
  uint32_t extension_bytes; /* chunk extensions of one message together */
  uint32_t trailer_bytes;   /* trailer fields of one message together */
} chs_parse_limits;

/* Where a decoder stands in the stream of messages of one connection. Zero it to begin. */
typedef struct chs_decoder {
  uint8_t state;
  uint8_t digits;           /* of the chunk size so far */
  bool skipped_line;        /* the one empty line allowed before a request line */
  uint32_t scanned;         /* head bytes already searched for its end */
  uint32_t extension_bytes;
  uint32_t trailer_bytes;
  uint64_t remaining; /* body or chunk bytes still to come */
} chs_decoder;

typedef enum chs_event_kind {
  CHS_NEED_MORE, /* keep what was not consumed and come back with more */
  CHS_HEAD,      /* *head is filled and its bytes are at `at`; without a body the message is complete */
  CHS_DATA,      /* body bytes at `at` */
  CHS_END,       /* the body is complete */
  CHS_FAILED     /* the connection is beyond repair; `error` says why */
} chs_event_kind;

typedef struct chs_event {
  chs_event_kind kind;
  chs_error error;
  size_t consumed; /* bytes the caller must not show again */
  size_t at;       /* CHS_DATA, CHS_HEAD: offset of the bytes */
  size_t length;   /* CHS_DATA, CHS_HEAD: how many, at least 1 */
} chs_event;

/* Takes the next step over `bytes`, which begin after what was consumed so far. The same stream gives the same events
 * however it is cut, apart from how CHS_DATA is divided. O(length) over the whole stream. */
chs_event chs_decode(chs_decoder *decoder, const chs_parse_limits *limits, const uint8_t *bytes, size_t length,
                     chs_head *head);

/* Parses one complete head, `length` bytes up to and including its empty line. */
chs_error chs_parse_head(const uint8_t *bytes, size_t length, const chs_parse_limits *limits, chs_head *head);

/* Percent-decodes a path once and removes its dot segments (RFC 3986 5.2.4). %2F and %25 stay, in upper case, so that
 * the result is unambiguous. Refuses NUL and other controls, bytes that are not UTF-8 and ".." above the root.
 * `out` holds at least max(length, 1) bytes. Returns the length of the result, -1 when refused. */
ptrdiff_t chs_normalize_path(const uint8_t *path, size_t length, char *out);

/* ---- Server ---- */

typedef struct chs_server chs_server;

/* One request that awaits its answer; a plain value that may outlive its connection. */
typedef struct chs_exchange {
  uint32_t loop;
  uint32_t slot;
  uint64_t id;
} chs_exchange;

/* A part of body_memory. */
typedef struct chs_held {
  uint64_t bytes;
  uint64_t holder; /* of chs_verdict */
} chs_held;

typedef struct chs_request {
  const uint8_t *bytes; /* what the spans of `head` refer to */
  const chs_head *head;
  const chs_field *fields; /* head->field_count of them */
  const char *path; /* by chs_normalize_path */
  size_t path_length;
  const uint8_t *body;
  size_t body_length;
  const char *peer;    /* address without port, or "unix" */
  const char *subject; /* of the verified client certificate (RFC 2253), or NULL */
  const char *uris;    /* of the same, each with a line feed behind it, or NULL */
  bool unread;         /* there is a body, which on_head did not want */
  chs_held held;       /* what of the body counts against body_memory */
} chs_request;

typedef struct chs_verdict {
  uint64_t body_limit; /* a longer body is refused with CHS_BODY_TOO_LARGE */
  bool unread;         /* the request is answered without its body, and the connection then ends */
  uint64_t holder;     /* whose body_share the body counts for; 0: nobody's */
} chs_verdict;

typedef struct chs_callbacks {
  void *context;
  /* A head with a body to come: how much of it is welcome. */
  chs_verdict (*on_head)(void *context, const chs_request *request);
  /* A request to answer with chs_respond, now or later. What it returns is `user`; NULL forgoes the calls below. With a
   * user, `held` is the caller's: it counts until chs_body_release. */
  void *(*on_request)(void *context, chs_exchange exchange, const chs_request *request);
  /* A request refused before it got that far: answer it with chs_respond before returning. */
  void (*on_refused)(void *context, chs_exchange exchange, chs_error error, const char *peer);
  /* A chs_stream_write has been taken and there is room for another. */
  void (*on_writable)(void *user);
  /* The exchange is over: answered, or, when `completed` is false, its connection died. */
  void (*on_done)(void *user, bool completed);
  /* Every loop has ended; the last callback. */
  void (*on_stopped)(void *context);
} chs_callbacks;

typedef struct chs_tls_config {
  const char *certificate_file; /* PEM chain; NULL: no TLS */
  const char *key_file;         /* PEM */
  const char *client_ca_file;   /* PEM; NULL: clients are not asked for certificates */
  bool client_required;         /* refuse clients without a certificate */
  bool kernel;                  /* hand record encryption to the kernel where it can */
} chs_tls_config;

typedef struct chs_config {
  const char *const *addresses; /* "host:port", "[v6]:port", "*:port", "unix:PATH", "systemd" */
  size_t address_count;
  uint32_t loops;
  uint32_t backlog;
  uint32_t max_connections;
  uint32_t max_connections_per_address;
  uint32_t max_requests_per_connection;
  uint32_t header_timeout_ms; /* from the first byte of a request, or from accept, to the end of the head */
  uint32_t body_timeout_ms;   /* for a body, plus its bytes divided by min_rate */
  uint32_t idle_timeout_ms;   /* between requests */
  uint32_t write_timeout_ms;  /* for pending output, plus its bytes divided by min_rate */
  uint32_t linger_timeout_ms; /* for the client to read the answer that closes its connection */
  uint32_t min_rate;          /* bytes per second a client must keep up in either direction */
  uint32_t stream_high_water; /* bytes pending before a streamed response waits */
  uint32_t small_body;        /* bytes up to which a body does not count against body_memory */
  uint64_t body_memory;       /* bytes of all larger bodies together, until they are released; refused with
                                 CHS_BODY_MEMORY_FULL beyond */
  uint64_t body_share;        /* of one holder; refused with CHS_BODY_SHARE_FULL beyond */
  chs_parse_limits parse;
  chs_tls_config tls;
} chs_config;

typedef struct chs_stats {
  uint64_t connections; /* open now */
  uint64_t accepted;
  uint64_t requests;
  uint64_t refused;  /* requests refused by parser, limit or timeout */
  uint64_t evicted;  /* waiting connections closed to make room */
  uint64_t turned_away; /* connections closed unread: over a limit or out of descriptors */
  uint64_t body_bytes;  /* of bodies that count against body_memory now */
} chs_stats;

/* Binds every address and reads the certificates. On failure returns NULL and a sentence in `error`. */
chs_server *chs_server_create(const chs_config *config, const chs_callbacks *callbacks, char *error, size_t error_size);

/* Starts the loops; 0, or an errno. */
int chs_server_start(chs_server *server);

/* Text of the nth bound address as it was bound ("127.0.0.1:41234"); false past the last. */
bool chs_server_address(const chs_server *server, size_t index, char *text, size_t size);

/* Any thread. Stops accepting, closes waiting connections, lets requests finish until deadline_ms from now, then closes
 * the rest. on_stopped follows. A second call can only bring the deadline forward. */
void chs_server_drain(chs_server *server, uint32_t deadline_ms);

/* Any thread. Reads certificate, key and CA files anew for connections to come; on failure keeps the old ones. */
bool chs_server_reload_tls(chs_server *server, char *error, size_t error_size);

/* Any thread. Sets body_memory and body_share for bodies to come; what is there stays. */
void chs_server_set_body_memory(chs_server *server, uint64_t bytes, uint64_t share);

/* Any thread. Gives back what on_request was given as `held`. */
void chs_body_release(chs_server *server, chs_held held);

/* Any thread. */
void chs_server_stats(chs_server *server, chs_stats *stats);

/* Waits for the loop threads to end, which must have been drained or never started. Not from a callback. Answers that
 * still come afterwards are ignored. */
void chs_server_join(chs_server *server);

/* Joins and frees everything; nothing may be called with `server` afterwards. */
void chs_server_destroy(chs_server *server);

/* Raises the soft limit of open files to the hard one; returns the limit in force. */
uint64_t chs_raise_descriptor_limit(void);

/* ---- Responses; any thread ---- */

typedef struct chs_response {
  uint16_t status;     /* 200...599 */
  bool stream;         /* the body follows through chs_stream_write */
  bool close;          /* end the connection after this */
  const char *fields;  /* "Name: value\r\n" each; never Content-Length, Transfer-Encoding, Connection or Date */
  size_t fields_length;
  const void *body;  /* not used with `stream` */
  size_t body_length;
  int64_t declared_length; /* Content-Length of a response to HEAD; -1: body_length */
  void (*release)(void *owner); /* NULL: the body is copied */
  void *owner;
} chs_response;

/* Answers an exchange; ignored, except for release, when its connection is gone or it was answered before. */
void chs_respond(chs_server *server, chs_exchange exchange, const chs_response *response);

/* Adds to a streamed response; on_writable follows when there is room for more. Copies. */
void chs_stream_write(chs_server *server, chs_exchange exchange, const void *bytes, size_t length);

/* Ends a streamed response; when `complete` is false the connection is cut so that the client notices. */
void chs_stream_end(chs_server *server, chs_exchange exchange, bool complete);

#ifdef __cplusplus
}
#endif
