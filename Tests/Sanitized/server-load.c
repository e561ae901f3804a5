/* The C server under load from several threads, to run under a sanitizer: requests whole and in pieces, pipelined,
 * answered on the loop and from another thread, with streams and with bodies that nobody wants, half-closed, reset in every state, over TCP and TLS,
 * while children that are not yet another program hold copies of all sockets;
 * then a drain in the middle of it all. Ends with 0 when every exchange that began has ended exactly once.
 * usage: server-load CERTIFICATES ROUNDS [SEED]     CERTIFICATES: folder with server.pem and server-key.pem */
#include "chttpserver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 6, LARGE = 300 * 1000 };

typedef enum kind { LATER, STREAM } kind;

/* What an exchange that is not answered at once leaves to the other thread. */
typedef struct job {
  struct job *next;
  chs_exchange exchange;
  kind kind;
  atomic_int holders; /* the server until on_done, and the queue while it has it */
  atomic_int dones;
  chs_held held;
} job;

static chs_server *server;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static job *queue;
static bool stopping;
static atomic_ulong begun, ended, answered, refused, client_answers, stopped;
static uint8_t large[LARGE];

static void drop(job *one) {
  if (atomic_fetch_sub(&one->holders, 1) != 1) return;
  chs_body_release(server, one->held);
  free(one);
}

static void enqueue(job *one) {
  atomic_fetch_add(&one->holders, 1);
  pthread_mutex_lock(&lock);
  one->next = queue;
  queue = one;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&lock);
}

static void release_nothing(void *owner) { atomic_fetch_add((atomic_ulong *)owner, 1); }

static void respond(chs_exchange exchange, uint16_t status, const void *body, size_t length, bool stream) {
  static atomic_ulong releases;
  chs_response response = {.status = status,
                           .stream = stream,
                           .fields = "Content-Type: text/plain\r\n",
                           .fields_length = 26,
                           .body = body,
                           .body_length = length,
                           .declared_length = -1};
  if (length == LARGE) {
    response.release = release_nothing;
    response.owner = &releases;
  }
  chs_respond(server, exchange, &response);
}

static void *work(void *unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&lock);
    while (!queue && !stopping) pthread_cond_wait(&filled, &lock);
    job *one = queue;
    if (one) queue = one->next;
    pthread_mutex_unlock(&lock);
    if (!one) return NULL;
    switch (one->kind) {
      case LATER:
        respond(one->exchange, 200, large, LARGE, false);
        break;
      case STREAM:
        respond(one->exchange, 200, NULL, 0, true);
        for (int piece = 0; piece < 5; piece++) chs_stream_write(server, one->exchange, large, 1000);
        chs_stream_end(server, one->exchange, true);
        break;
    }
    drop(one);
  }
}

static bool is(const chs_request *request, const char *path) {
  return request->path_length == strlen(path) && memcmp(request->path, path, request->path_length) == 0;
}

static chs_verdict on_head(void *context, const chs_request *request) {
  (void)context;
  return (chs_verdict){.body_limit = 1 << 20, .unread = is(request, "/unwanted")};
}

static void *on_request(void *context, chs_exchange exchange, const chs_request *request) {
  (void)context;
  bool later = is(request, "/later"), stream = is(request, "/stream");
  if (!later && !stream && !request->unread) {
    atomic_fetch_add(&answered, 1);
    respond(exchange, 200, request->body, request->body_length, false);
    return NULL;
  }
  job *one = calloc(1, sizeof *one);
  one->exchange = exchange;
  one->held = request->held;
  one->kind = stream ? STREAM : LATER;
  atomic_init(&one->holders, 1);
  atomic_fetch_add(&begun, 1);
  enqueue(one);
  return one;
}

static void on_refused(void *context, chs_exchange exchange, chs_error error, const char *peer) {
  (void)context;
  (void)peer;
  atomic_fetch_add(&refused, 1);
  respond(exchange, (uint16_t)chs_error_status(error), NULL, 0, false);
}

static void on_writable(void *user) { (void)user; }

static void on_done(void *user, bool completed) {
  (void)completed;
  job *one = user;
  if (atomic_fetch_add(&one->dones, 1) != 0) abort();
  atomic_fetch_add(&ended, 1);
  drop(one);
}

static void on_stopped(void *context) {
  (void)context;
  atomic_fetch_add(&stopped, 1);
}

/* ---- Clients ---- */

typedef struct client {
  uint64_t random;
  uint16_t port;
  bool secure;
  long rounds;
  SSL_CTX *tls;
  int fd;
  SSL *ssl;
} client;

static uint32_t draw(client *self, uint32_t below) {
  self->random = self->random * 6364136223846793005ULL + 1442695040888963407ULL;
  return (uint32_t)(self->random >> 33) % below;
}

static bool put(client *self, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = self->ssl ? SSL_write(self->ssl, bytes, (int)length) : send(self->fd, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    length -= (size_t)sent;
  }
  return true;
}

static ssize_t get(client *self, char *bytes, size_t room) {
  return self->ssl ? SSL_read(self->ssl, bytes, (int)room) : recv(self->fd, bytes, room, 0);
}

static bool put_in_pieces(client *self, const char *bytes, size_t length) {
  while (length > 0) {
    size_t piece = 1 + draw(self, 40);
    if (piece > length) piece = length;
    if (!put(self, bytes, piece)) return false;
    bytes += piece;
    length -= piece;
  }
  return true;
}

static void receive_some(client *self, uint32_t times) {
  char bytes[8192];
  for (uint32_t count = 0; count < times; count++) {
    ssize_t length = get(self, bytes, sizeof bytes);
    if (length <= 0) return;
    if (length > 12 && memcmp(bytes, "HTTP/1.1 200", 12) == 0) atomic_fetch_add(&client_answers, 1);
  }
}

static bool connect_client(client *self) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(self->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  self->ssl = NULL;
  self->fd = socket(AF_INET, SOCK_STREAM, 0);
  struct timeval patience = {.tv_sec = 2};
  setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(self->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(self->fd, (struct sockaddr *)&address, sizeof address) != 0) return false;
  if (!self->secure || draw(self, 20) == 0) return true; /* now and then plain text to the TLS port */
  self->ssl = SSL_new(self->tls);
  SSL_set_fd(self->ssl, self->fd);
  return SSL_connect(self->ssl) == 1;
}

static void disconnect(client *self) {
  if (draw(self, 3) == 0) {
    struct linger reset = {.l_onoff = 1};
    setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  } else if (draw(self, 3) == 0) {
    shutdown(self->fd, SHUT_WR);
    receive_some(self, 1000);
  }
  if (self->ssl) SSL_free(self->ssl);
  close(self->fd);
}

static void make_requests(client *self) {
  static const char *const texts[] = {
      "GET /inline HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /later HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /inline HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "POST /unwanted HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n4;x=y\r\nmore\r\n0\r\n\r\n",
      "POST /inline HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: t\r\n\r\n",
      "GET /later HTTP/1.0\r\n\r\n",
      "GET /stream HTTP/1.0\r\n\r\n",
      "POST /unwanted HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\ncut short",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET /half HTTP/1.1\r\nHo",
  };
  uint32_t count = 1 + draw(self, 6);
  for (uint32_t index = 0; index < count; index++) {
    const char *text = texts[draw(self, sizeof texts / sizeof *texts)];
    bool sent = draw(self, 4) == 0 ? put_in_pieces(self, text, strlen(text)) : put(self, text, strlen(text));
    if (!sent) return;
    if (draw(self, 2) == 0) receive_some(self, 1 + draw(self, 3));
  }
}

static void *run_client(void *argument) {
  client *self = argument;
  for (long round = 0; round < self->rounds; round++) {
    bool connected = connect_client(self);
    if (connected) make_requests(self);
    disconnect(self);
    if (!connected && atomic_load(&stopped) > 0) break;
  }
  return NULL;
}

/* Forks as somebody does who is about to start a program: what is closed here meanwhile is still open there. */
static void *run_children(void *argument) {
  uint64_t seed = *(uint64_t *)argument;
  while (atomic_load(&stopped) == 0) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    struct timespec pause = {.tv_nsec = (long)(seed >> 33) % 20000000};
    pid_t child = fork();
    if (child == 0) {
      (void)nanosleep(&pause, NULL);
      _exit(0);
    }
    if (child > 0) (void)waitpid(child, NULL, 0);
  }
  return NULL;
}

static uint16_t port_of(size_t index) {
  char text[160];
  if (!chs_server_address(server, index, text, sizeof text)) abort();
  return (uint16_t)atoi(strrchr(text, ':') + 1);
}

static void start_server(const char *folder, bool secure) {
  char certificate[512], key[512], error[512];
  (void)snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
  (void)snprintf(key, sizeof key, "%s/server-key.pem", folder);
  const char *const addresses[] = {"127.0.0.1:0"};
  chs_config config = {.addresses = addresses,
                       .address_count = 1,
                       .loops = 2,
                       .backlog = 128,
                       .max_connections = 64,
                       .max_connections_per_address = 48,
                       .max_requests_per_connection = 20,
                       .header_timeout_ms = 500,
                       .body_timeout_ms = 500,
                       .idle_timeout_ms = 300,
                       .write_timeout_ms = 1000,
                       .linger_timeout_ms = 200,
                       .min_rate = 1000,
                       .stream_high_water = 4096,
                       .small_body = 200,
                       .body_memory = 4000,
                       .body_share = 3000,
                       .parse = {.target_bytes = 1024, .head_bytes = 4096, .fields = 32, .extension_bytes = 64,
                                 .trailer_bytes = 128},
                       .tls = {.certificate_file = secure ? certificate : NULL, .key_file = key, .kernel = true}};
  chs_callbacks callbacks = {.on_head = on_head, .on_request = on_request, .on_refused = on_refused, .on_writable = on_writable, .on_done = on_done, .on_stopped = on_stopped};
  server = chs_server_create(&config, &callbacks, error, sizeof error);
  if (!server || chs_server_start(server) != 0) {
    (void)fprintf(stderr, "server-load: %s\n", error);
    exit(1);
  }
}

/* One server's life; false when an exchange was lost. */
static bool live(const char *folder, bool secure, long rounds, uint64_t seed, SSL_CTX *tls) {
  char error[512];
  atomic_store(&stopped, 0);
  stopping = false;
  start_server(folder, secure);
  pthread_t worker, children, threads[CLIENTS];
  client clients[CLIENTS];
  pthread_create(&worker, NULL, work, NULL);
  pthread_create(&children, NULL, run_children, &seed);
  for (int index = 0; index < CLIENTS; index++) {
    clients[index] = (client){
        .random = seed + (uint64_t)index, .port = port_of(0), .secure = secure, .rounds = rounds, .tls = tls};
    pthread_create(&threads[index], NULL, run_client, &clients[index]);
  }
  /* Half of the clients' work is done in peace; the server drains while the others are at it. */
  for (int index = 0; index < CLIENTS / 2; index++) pthread_join(threads[index], NULL);
  if (secure && !chs_server_reload_tls(server, error, sizeof error)) abort();
  chs_stats stats;
  chs_server_stats(server, &stats);
  chs_server_drain(server, 300);
  for (int index = CLIENTS / 2; index < CLIENTS; index++) pthread_join(threads[index], NULL);
  chs_server_join(server);
  pthread_join(children, NULL);
  pthread_mutex_lock(&lock);
  stopping = true;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&lock);
  pthread_join(worker, NULL);
  chs_server_stats(server, &stats);
  if (stats.body_bytes != 0) abort();
  chs_server_destroy(server);
  printf("server-load: %s: %llu connections, %llu requests, %llu refused, %lu answers read, %lu of %lu exchanges ended\n",
         secure ? "TLS" : "plain", (unsigned long long)stats.accepted, (unsigned long long)stats.requests,
         (unsigned long long)stats.refused, atomic_load(&client_answers), atomic_load(&ended), atomic_load(&begun));
  return atomic_load(&begun) == atomic_load(&ended) && atomic_load(&begun) > 0 && atomic_load(&answered) > 0 &&
         atomic_load(&refused) > 0 && atomic_load(&client_answers) > 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  (void)signal(SIGPIPE, SIG_IGN);
  uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
  printf("server-load: seed %llu\n", (unsigned long long)seed);
  SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
  bool plain = live(argv[1], false, atol(argv[2]), seed, tls);
  bool secure = live(argv[1], true, atol(argv[2]), seed, tls);
  SSL_CTX_free(tls);
  return plain && secure ? 0 : 1;
}
