/* The life of a server: bound, started, drained, freed. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static bool check_config(const chs_config *config, char *error, size_t error_size) {
  const char *wrong = NULL;
  if (config->address_count == 0) wrong = "at least one address is needed";
  if (config->loops == 0 || config->loops > 256) wrong = "loops must be 1 to 256";
  if (config->max_connections == 0 || config->max_connections > 1U << 20) wrong = "max_connections must be 1 to 1048576";
  if (config->max_connections_per_address == 0) wrong = "max_connections_per_address must be at least 1";
  if (config->max_requests_per_connection == 0) wrong = "max_requests_per_connection must be at least 1";
  if (config->min_rate == 0) wrong = "min_rate must be at least 1 byte per second";
  if (config->parse.head_bytes < 64 || config->parse.head_bytes > CHS_SCRATCH / 2) wrong = "head_bytes must be 64 to 32768";
  if (config->parse.target_bytes == 0 || config->parse.target_bytes > config->parse.head_bytes) {
    wrong = "target_bytes must be 1 to head_bytes";
  }
  if (config->parse.fields == 0 || config->parse.fields > CHS_MAX_FIELDS) wrong = "fields must be 1 to 128";
  if (wrong) (void)snprintf(error, error_size, "%s", wrong);
  return wrong == NULL;
}

static char *copy_text(const char *text) { return text ? strdup(text) : NULL; }

static bool open_loop(chs_server *server, uint32_t index) {
  chs_loop *loop = calloc(1, sizeof *loop);
  if (!loop) return false;
  server->loops[index] = loop;
  server->loop_count = index + 1;
  if (!chs_loop_init(loop, server, &server->config, &server->callbacks, index)) return false;
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  loop->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (loop->epoll < 0 || loop->wake < 0) return false;
  struct epoll_event wake = {.events = EPOLLIN, .data.ptr = loop};
  if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake) != 0) return false;
  for (size_t at = 0; at < server->listener_count; at++) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &server->listeners[at]};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, server->listeners[at].fd, &event) != 0) return false;
  }
  loop->accepting = true;
  atomic_fetch_add(&server->accepting, 1);
  return true;
}

static bool open_all(chs_server *server, char *error, size_t error_size) {
  const chs_config *config = &server->config;
  if (config->tls.certificate_file) {
    server->tls_context = chs_tls_context_create(&config->tls, error, error_size);
    if (!server->tls_context) return false;
  }
  for (size_t index = 0; index < config->address_count; index++) {
    if (!chs_listen(server, config->addresses[index], error, error_size)) return false;
  }
  server->loops = calloc(config->loops, sizeof *server->loops);
  bool opened = server->loops && chs_addresses_init(&server->addresses, config->max_connections);
  for (uint32_t index = 0; opened && index < config->loops; index++) opened = open_loop(server, index);
  if (!opened) (void)snprintf(error, error_size, "cannot set up event loops: %s", strerror(errno));
  return opened;
}

chs_server *chs_server_create(const chs_config *config, const chs_callbacks *callbacks, char *error, size_t error_size) {
  if (!check_config(config, error, error_size)) return NULL;
  chs_server *server = calloc(1, sizeof *server);
  if (!server) {
    (void)snprintf(error, error_size, "out of memory");
    return NULL;
  }
  server->config = *config;
  server->callbacks = *callbacks;
  (void)chs_bodies_init(&server->bodies, config->body_memory, config->body_share);
  server->config.tls.certificate_file = server->certificate_file = copy_text(config->tls.certificate_file);
  server->config.tls.key_file = server->key_file = copy_text(config->tls.key_file);
  server->config.tls.client_ca_file = server->client_ca_file = copy_text(config->tls.client_ca_file);
  pthread_mutex_init(&server->tls_lock, NULL);
  if (!open_all(server, error, error_size)) {
    chs_server_destroy(server);
    return NULL;
  }
  server->config.addresses = NULL;
  return server;
}

int chs_server_start(chs_server *server) {
  /* Signals are for the process's own threads; SIGPIPE, which OpenSSL's writes may raise, is for nobody. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = 0;
  atomic_store(&server->running, server->loop_count);
  for (uint32_t index = 0; index < server->loop_count && failure == 0; index++) {
    failure = pthread_create(&server->loops[index]->thread, NULL, chs_loop_main, server->loops[index]);
    server->loops[index]->started = failure == 0;
    if (failure != 0) atomic_fetch_sub(&server->running, server->loop_count - index);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failure != 0) chs_server_drain(server, 0);
  return failure;
}

bool chs_server_address(const chs_server *server, size_t index, char *text, size_t size) {
  if (index >= server->listener_count) return false;
  (void)snprintf(text, size, "%s", server->listeners[index].text);
  return true;
}

void chs_server_drain(chs_server *server, uint32_t deadline_ms) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t kill_at = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + deadline_ms;
  atomic_store(&server->draining, true);
  for (uint32_t index = 0; index < server->loop_count; index++) {
    chs_post *post = calloc(1, sizeof *post);
    if (!post) continue;
    post->kind = CHS_POST_DRAIN;
    post->exchange.id = (uint64_t)kill_at;
    chs_loop_post(server->loops[index], post);
  }
}

bool chs_server_reload_tls(chs_server *server, char *error, size_t error_size) {
  if (!server->config.tls.certificate_file) {
    (void)snprintf(error, error_size, "this server has no certificates");
    return false;
  }
  void *fresh = chs_tls_context_create(&server->config.tls, error, error_size);
  if (!fresh) return false;
  pthread_mutex_lock(&server->tls_lock);
  void *old = server->tls_context;
  server->tls_context = fresh;
  pthread_mutex_unlock(&server->tls_lock);
  chs_tls_context_free(old);
  return true;
}

void chs_server_set_body_memory(chs_server *server, uint64_t bytes, uint64_t share) {
  chs_bodies_bound(&server->bodies, bytes, share);
}

void chs_body_release(chs_server *server, chs_held held) { chs_bodies_give(&server->bodies, held); }

void chs_server_stats(chs_server *server, chs_stats *stats) {
  *stats = (chs_stats){0};
  for (uint32_t index = 0; index < server->loop_count; index++) {
    chs_loop *loop = server->loops[index];
    stats->connections += atomic_load_explicit(&loop->connections, memory_order_relaxed);
    stats->accepted += atomic_load_explicit(&loop->accepted, memory_order_relaxed);
    stats->requests += atomic_load_explicit(&loop->requests, memory_order_relaxed);
    stats->refused += atomic_load_explicit(&loop->refused, memory_order_relaxed);
    stats->evicted += atomic_load_explicit(&loop->evicted, memory_order_relaxed);
    stats->turned_away += atomic_load_explicit(&loop->turned_away, memory_order_relaxed);
  }
  stats->body_bytes = chs_bodies_bytes(&server->bodies);
}

void chs_server_join(chs_server *server) {
  for (uint32_t index = 0; index < server->loop_count; index++) {
    if (server->loops[index]->started) pthread_join(server->loops[index]->thread, NULL);
    server->loops[index]->started = false;
  }
}

void chs_server_destroy(chs_server *server) {
  chs_server_join(server);
  for (uint32_t index = 0; index < server->loop_count; index++) {
    chs_loop_free(server->loops[index]);
    free(server->loops[index]);
  }
  free(server->loops);
  chs_listeners_close(server);
  free(server->listeners);
  chs_addresses_free(&server->addresses);
  if (server->tls_context) chs_tls_context_free(server->tls_context);
  pthread_mutex_destroy(&server->tls_lock);
  free(server->certificate_file);
  free(server->key_file);
  free(server->client_ca_file);
  free(server);
}

uint64_t chs_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    struct rlimit wanted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) return wanted.rlim_cur;
  }
  return limit.rlim_cur;
}
