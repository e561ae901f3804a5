/* What the files of the server share. A loop and its connections belong to the loop's thread; `posts` and the atomics
 * are all that other threads touch. */
#pragma once

#include "chttpserver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct chs_loop chs_loop;
typedef struct chs_conn chs_conn;

enum {
  CHS_SCRATCH = 64 * 1024,  /* a loop's shared buffers, for one read and for gathering small writes */
  CHS_GATHER_BELOW = 4096,  /* smaller bodies are copied beside their head, larger ones written from where they are */
  CHS_READS_PER_TURN = 16,  /* then other connections have their turn */
  CHS_REQUESTS_PER_TURN = 64,
  CHS_SENT_PER_TURN = 64 * 1024,
  CHS_PIPELINE_ROOM = 4096, /* bytes beyond a head that are read while a head is awaited */
  CHS_WHEEL_SLOTS = 256,
  CHS_WHEEL_TICK_MS = 16
};

#define CHS_NEVER INT64_MAX

/* ---- Transport: hides TLS, and the sockets from the tests of the state machine ---- */

enum { CHS_IO_EOF = 0, CHS_IO_AGAIN = -1, CHS_IO_FAILED = -2 };

typedef struct chs_transport {
  ssize_t (*read)(chs_conn *conn, void *bytes, size_t length);              /* bytes, or CHS_IO_* */
  ssize_t (*write)(chs_conn *conn, const struct iovec *parts, int count);   /* bytes, or CHS_IO_AGAIN, _FAILED */
  int (*handshake)(chs_conn *conn);                                         /* 1, or CHS_IO_AGAIN, _FAILED */
  void (*shut)(chs_conn *conn);                                             /* ends our direction */
  void (*close)(chs_conn *conn);                                            /* frees descriptor and session */
  size_t gather_below;
} chs_transport;

extern const chs_transport chs_plain_transport;
extern const chs_transport chs_tls_transport;

/* ---- Connection ---- */

typedef enum chs_input {
  CHS_IN_HANDSHAKE,
  CHS_IN_HEAD,   /* waiting for, or in the middle of, a request head */
  CHS_IN_BODY,   /* gathering a body in `message` */
  CHS_IN_DONE,   /* the request is complete, or its body is not wanted; nothing is read until it is answered */
  CHS_IN_LINGER  /* reading to throw away, until the client has seen our answer */
} chs_input;

typedef enum chs_output {
  CHS_OUT_NONE,
  CHS_OUT_AWAITED, /* a request waits for its response */
  CHS_OUT_STREAM,  /* a head is sent, the body follows piece by piece */
  CHS_OUT_CLOSING  /* close once everything is sent */
} chs_output;

typedef enum chs_phase { CHS_PHASE_NONE, CHS_PHASE_HEAD, CHS_PHASE_IDLE, CHS_PHASE_BODY, CHS_PHASE_WRITE, CHS_PHASE_LINGER } chs_phase;

/* Output that could not be sent at once. */
typedef struct chs_piece {
  struct chs_piece *next;
  const uint8_t *bytes;
  size_t length;
  void (*release)(void *owner);
  void *owner;
  uint8_t copied[];
} chs_piece;

/* Lists are rings through a head that is a link itself. */
typedef struct chs_link {
  struct chs_link *next, *previous;
} chs_link;

typedef struct chs_address_key {
  uint8_t bytes[16];
} chs_address_key;

struct chs_conn {
  uint8_t tag; /* first, see chs_tag */
  uint8_t input, output, phase;
  bool readable, writable; /* edge-triggered readiness that has not been used up */
  bool eof, hung_up, refused, dead;
  bool keep_alive, minor_zero, is_head, body_done, owes_writable, queued, counted_address;
  bool began;   /* a wait has begun since deadlines were last set */
  bool starved; /* the decoder needs more than `pending` holds */
  int fd;
  uint32_t slot;
  uint32_t requests;
  uint32_t turn_end; /* of `requests`: then other connections have their turn */
  size_t turn_sent;  /* bytes, in this turn */
  const chs_transport *transport;
  chs_loop *loop;
  void *tls;
  char *subject; /* owned */
  char *uris;    /* owned */
  chs_decoder decoder;

  uint64_t exchange; /* 0: none */
  void *user;

  uint8_t *pending; /* owned; read but not consumed */
  uint32_t pending_length, pending_capacity;

  uint8_t *message; /* owned; head and decoded body of a gathered request */
  size_t message_length, message_capacity;
  uint32_t head_length;
  uint64_t body_limit, body_received;
  chs_held body_held; /* counted in loop->bodies */

  chs_piece *first, *last;
  uint64_t output_pending;

  int64_t phase_start, deadline, wheel_due;
  uint64_t phase_bytes;
  chs_link timer;    /* in a slot of the wheel, or unlinked */
  chs_link waiting;  /* in loop->waiting, oldest first, or unlinked */
  chs_conn *next;    /* in loop->requeued or loop->graveyard */
  chs_address_key address;
  char peer[46];
};

/* Runs a connection as far as input, output and handlers let it. Call after readable or writable was set, after a
 * response was posted, or after the deadline. The connection may be dead afterwards. */
void chs_conn_run(chs_conn *conn);
void chs_conn_expire(chs_conn *conn);
/* Brings deadline and place in the line of waiting connections up to date. */
void chs_conn_settle(chs_conn *conn);
/* Closes at once; a waiting exchange hears of it. The memory stays until the end of the turn. */
void chs_conn_kill(chs_conn *conn);
/* The peer has closed its direction, or, with `both`, the connection is gone. */
void chs_conn_hang_up(chs_conn *conn, bool both);
/* Closes a connection that waits for a request, and lets another finish with Connection: close. */
void chs_conn_drain(chs_conn *conn);

void chs_conn_respond(chs_conn *conn, const chs_response *response);
void chs_conn_stream_write(chs_conn *conn, const void *bytes, size_t length);
void chs_conn_stream_end(chs_conn *conn, bool complete);
void chs_conn_refuse(chs_conn *conn, chs_error error);
void chs_conn_finish_exchange(chs_conn *conn, bool completed);

/* output.c: queueing and sending. */
void chs_output_copy(chs_conn *conn, const void *bytes, size_t length);
/* Sends from where the bytes are; what the socket does not take is borrowed until release, or copied without one. */
void chs_output_body(chs_conn *conn, const void *bytes, size_t length, void (*release)(void *), void *owner);
void chs_output_flush(chs_conn *conn);
void chs_output_free(chs_conn *conn);

/* Appends a response head to `out`; returns its length, 0 when it would not fit. */
size_t chs_write_head(char *out, size_t room, const chs_conn *conn, const chs_response *response, bool close);

/* ---- Loop ---- */

typedef struct chs_holder {
  uint64_t id, bytes;
} chs_holder;

/* What large bodies take, those of all loops together. */
typedef struct chs_bodies {
  pthread_mutex_t lock;
  uint64_t most, share, held;
  chs_holder *holders; /* who holds any now, in no order: fewer than most / small_body */
  uint32_t count, capacity;
} chs_bodies;

bool chs_bodies_init(chs_bodies *bodies, uint64_t most, uint64_t share);
void chs_bodies_free(chs_bodies *bodies);
/* CHS_OK where a body of this length would find room now. */
chs_error chs_bodies_room(chs_bodies *bodies, uint64_t id, uint64_t length);
/* Counts so many bytes more; anything but CHS_OK, and nothing counted, where that is too much. */
chs_error chs_bodies_take(chs_bodies *bodies, uint64_t id, uint64_t more);
void chs_bodies_give(chs_bodies *bodies, chs_held held);
uint64_t chs_bodies_bytes(chs_bodies *bodies);
void chs_bodies_bound(chs_bodies *bodies, uint64_t most, uint64_t share);

typedef enum chs_tag { CHS_TAG_CONN, CHS_TAG_LISTENER, CHS_TAG_WAKE } chs_tag;

typedef struct chs_listener {
  uint8_t tag;
  bool is_unix, tls, inherited;
  int fd;
  char text[160];
  char unlink_path[108]; /* of a Unix socket of ours; empty otherwise */
} chs_listener;

typedef enum chs_post_kind {
  CHS_POST_RESPOND,
  CHS_POST_WRITE,
  CHS_POST_END,
  CHS_POST_ADOPT,
  CHS_POST_DRAIN
} chs_post_kind;

/* A message to a loop; owned by the queue from posting on. */
typedef struct chs_post {
  struct chs_post *next;
  chs_post_kind kind;
  chs_exchange exchange;
  chs_response response;
  bool complete;
  int fd; /* CHS_POST_ADOPT */
  bool tls, counted_address;
  chs_address_key address;
  char peer[46];
  size_t length;
  uint8_t bytes[];
} chs_post;

struct chs_loop {
  uint8_t tag; /* CHS_TAG_WAKE */
  uint32_t index;
  chs_server *server;
  const chs_config *config;
  const chs_callbacks *callbacks;
  int epoll, wake, spare; /* `spare` is given up to accept and close when descriptors run out */
  pthread_t thread;
  bool started, draining, accepting;
  int64_t now; /* monotonic, ms */
  int64_t kill_at;
  int64_t date_second;
  char date[40]; /* "Date: ...\r\n" */

  chs_conn **slots;
  uint32_t slot_count;
  uint32_t *free_slots;
  uint32_t free_count;
  atomic_uint connections;
  atomic_ullong accepted, requests, refused, evicted, turned_away;

  chs_bodies *bodies;
  chs_bodies own_bodies; /* where there is no server */

  uint64_t next_exchange;
  uint64_t dispatching; /* exchange whose callback runs now: it may be answered without posting */

  chs_link wheel[CHS_WHEEL_SLOTS];
  uint64_t wheel_used[CHS_WHEEL_SLOTS / 64];
  int64_t wheel_tick;
  chs_link waiting;
  chs_conn *requeued;
  chs_conn *graveyard;

  size_t out_length; /* of `out`; 0 between the turns of connections */
  pthread_mutex_t post_lock;
  chs_post *posts, *last_post;
  bool closed; /* under post_lock: no posts are taken any more */

  chs_head head;
  char path[CHS_SCRATCH];
  uint8_t in[CHS_SCRATCH];
  uint8_t out[CHS_SCRATCH];
};

/* Everything but descriptors and thread, for the server and for tests without sockets. False when out of memory. */
bool chs_loop_init(chs_loop *loop, chs_server *server, const chs_config *config, const chs_callbacks *callbacks,
                   uint32_t index);
void chs_loop_free(chs_loop *loop);
/* A connection in a free slot; NULL when there is none. */
chs_conn *chs_loop_add(chs_loop *loop, const chs_transport *transport, int fd);
/* Takes a connection, still open, out of every list; its memory stays until chs_loop_bury. */
void chs_loop_remove(chs_loop *loop, chs_conn *conn);
chs_conn *chs_loop_find(chs_loop *loop, chs_exchange exchange);
void chs_loop_bury(chs_loop *loop);
void chs_loop_apply(chs_loop *loop, chs_post *post);
void chs_loop_set_time(chs_loop *loop, int64_t now_ms, int64_t realtime_s);
/* Closes the connection that has waited longest for a request to be complete; false when none waits. */
bool chs_loop_evict(chs_loop *loop);
void chs_loop_requeue(chs_loop *loop, chs_conn *conn);
void *chs_loop_main(void *loop);
void chs_loop_accept(chs_loop *loop, chs_listener *listener);
void chs_loop_adopt(chs_loop *loop, int fd, bool tls, bool counted, const chs_address_key *address,
                    const char *peer);
/* Takes ownership of `post`; when the loop has ended, frees it. */
void chs_loop_post(chs_loop *loop, chs_post *post);
void chs_post_free(chs_post *post);

void chs_wheel_set(chs_loop *loop, chs_conn *conn);
void chs_wheel_remove(chs_loop *loop, chs_conn *conn);
void chs_wheel_advance(chs_loop *loop);
/* Milliseconds until something may expire; -1: never. */
int chs_wheel_wait(const chs_loop *loop);

static inline void chs_link_init(chs_link *link) { link->next = link->previous = link; }
static inline bool chs_link_alone(const chs_link *link) { return link->next == link; }
static inline void chs_link_remove(chs_link *link) {
  link->next->previous = link->previous;
  link->previous->next = link->next;
  chs_link_init(link);
}
static inline void chs_link_append(chs_link *ring, chs_link *link) {
  link->previous = ring->previous;
  link->next = ring;
  ring->previous->next = link;
  ring->previous = link;
}

/* ---- Server ---- */

/* Open connections by peer address: open addressing, at most half full. */
typedef struct chs_address_table {
  pthread_mutex_t lock;
  uint32_t mask;
  struct {
    chs_address_key key;
    uint32_t count;
  } *entries;
} chs_address_table;

bool chs_addresses_init(chs_address_table *table, uint32_t max_connections);
void chs_addresses_free(chs_address_table *table);
/* False, and nothing counted, when the address has `limit` connections already. */
bool chs_addresses_enter(chs_address_table *table, const chs_address_key *key, uint32_t limit);
void chs_addresses_leave(chs_address_table *table, const chs_address_key *key);

struct chs_server {
  chs_config config;
  chs_callbacks callbacks;
  chs_listener *listeners;
  size_t listener_count;
  chs_loop **loops;
  uint32_t loop_count;
  chs_bodies bodies;
  atomic_uint connections;
  atomic_uint running;
  atomic_uint accepting; /* loops that still watch the listeners; the last one closes them */
  atomic_bool draining;
  chs_address_table addresses;
  char *certificate_file, *key_file, *client_ca_file; /* owned copies that `config` points to */
  pthread_mutex_t tls_lock;
  void *tls_context; /* SSL_CTX of new connections, under tls_lock */
};

/* listen.c: opens what an address names and appends it to server->listeners. */
bool chs_listen(chs_server *server, const char *address, char *error, size_t error_size);
void chs_listeners_close(chs_server *server);

/* tls.c */
void *chs_tls_context_create(const chs_tls_config *config, char *error, size_t error_size);
void chs_tls_context_free(void *context);
bool chs_tls_begin(chs_conn *conn, chs_server *server);
