/* One epoll loop: events to connections, answers from other threads, time. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static _Thread_local chs_loop *current_loop;

bool chs_loop_init(chs_loop *loop, chs_server *server, const chs_config *config, const chs_callbacks *callbacks,
                   uint32_t index) {
  loop->tag = CHS_TAG_WAKE;
  loop->index = index;
  loop->server = server;
  loop->config = config;
  loop->callbacks = callbacks;
  if (!chs_bodies_init(&loop->own_bodies, config->body_memory, config->body_share)) return false;
  loop->bodies = server ? &server->bodies : &loop->own_bodies;
  loop->epoll = loop->wake = loop->spare = -1;
  loop->kill_at = CHS_NEVER;
  loop->date_second = -1;
  for (size_t slot = 0; slot < CHS_WHEEL_SLOTS; slot++) chs_link_init(&loop->wheel[slot]);
  chs_link_init(&loop->waiting);
  loop->slot_count = config->max_connections;
  loop->slots = calloc(loop->slot_count, sizeof *loop->slots);
  loop->free_slots = calloc(loop->slot_count, sizeof *loop->free_slots);
  if (!loop->slots || !loop->free_slots || pthread_mutex_init(&loop->post_lock, NULL) != 0) return false;
  for (uint32_t slot = 0; slot < loop->slot_count; slot++) loop->free_slots[slot] = loop->slot_count - 1 - slot;
  loop->free_count = loop->slot_count;
  return true;
}

void chs_post_free(chs_post *post) {
  if (post->kind == CHS_POST_RESPOND && post->response.release) post->response.release(post->response.owner);
  if (post->kind == CHS_POST_ADOPT && post->fd >= 0) (void)close(post->fd);
  free(post);
}

void chs_loop_free(chs_loop *loop) {
  for (uint32_t slot = 0; slot < loop->slot_count && loop->slots; slot++) {
    if (loop->slots[slot]) chs_conn_kill(loop->slots[slot]);
  }
  while (loop->requeued) {
    chs_conn *conn = loop->requeued;
    loop->requeued = conn->next;
    conn->next = loop->graveyard;
    loop->graveyard = conn;
  }
  chs_loop_bury(loop);
  while (loop->posts) {
    chs_post *post = loop->posts;
    loop->posts = post->next;
    chs_post_free(post);
  }
  if (loop->epoll >= 0) (void)close(loop->epoll);
  if (loop->wake >= 0) (void)close(loop->wake);
  if (loop->spare >= 0) (void)close(loop->spare);
  pthread_mutex_destroy(&loop->post_lock);
  chs_bodies_free(&loop->own_bodies);
  free(loop->slots);
  free(loop->free_slots);
}

/* ---- Connections ---- */

chs_conn *chs_loop_add(chs_loop *loop, const chs_transport *transport, int fd) {
  if (loop->free_count == 0) return NULL;
  chs_conn *conn = calloc(1, sizeof *conn);
  if (!conn) return NULL;
  conn->tag = CHS_TAG_CONN;
  conn->transport = transport;
  conn->loop = loop;
  conn->fd = fd;
  conn->readable = conn->writable = true;
  conn->body_done = true;
  conn->began = true;
  conn->deadline = CHS_NEVER;
  chs_link_init(&conn->timer);
  chs_link_init(&conn->waiting);
  conn->slot = loop->free_slots[--loop->free_count];
  loop->slots[conn->slot] = conn;
  atomic_fetch_add_explicit(&loop->connections, 1, memory_order_relaxed);
  return conn;
}

void chs_loop_remove(chs_loop *loop, chs_conn *conn) {
  /* Closing is not enough: a child between fork and exec holds a copy, and events of it would name freed memory. */
  (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
  loop->slots[conn->slot] = NULL;
  loop->free_slots[loop->free_count++] = conn->slot;
  atomic_fetch_sub_explicit(&loop->connections, 1, memory_order_relaxed);
  if (loop->server) {
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_relaxed);
    if (conn->counted_address) chs_addresses_leave(&loop->server->addresses, &conn->address);
  }
  chs_wheel_remove(loop, conn);
  chs_link_remove(&conn->waiting);
  if (conn->queued) return;
  conn->next = loop->graveyard;
  loop->graveyard = conn;
}

void chs_loop_bury(chs_loop *loop) {
  while (loop->graveyard) {
    chs_conn *conn = loop->graveyard;
    loop->graveyard = conn->next;
    free(conn->pending);
    free(conn->message);
    free(conn->subject);
    free(conn->uris);
    free(conn);
  }
}

chs_conn *chs_loop_find(chs_loop *loop, chs_exchange exchange) {
  if (exchange.slot >= loop->slot_count) return NULL;
  chs_conn *conn = loop->slots[exchange.slot];
  return conn && conn->exchange == exchange.id ? conn : NULL;
}

bool chs_loop_evict(chs_loop *loop) {
  if (chs_link_alone(&loop->waiting)) return false;
  chs_conn *oldest = (chs_conn *)(void *)((char *)loop->waiting.next - offsetof(chs_conn, waiting));
  atomic_fetch_add_explicit(&loop->evicted, 1, memory_order_relaxed);
  chs_conn_kill(oldest);
  return true;
}

void chs_loop_requeue(chs_loop *loop, chs_conn *conn) {
  if (conn->queued) return;
  conn->queued = true;
  conn->next = loop->requeued;
  loop->requeued = conn;
}

static void run_requeued(chs_loop *loop) {
  chs_conn *conn = loop->requeued;
  loop->requeued = NULL;
  while (conn) {
    chs_conn *next = conn->next;
    conn->queued = false;
    if (conn->dead) {
      conn->next = loop->graveyard;
      loop->graveyard = conn;
    } else {
      chs_conn_run(conn);
    }
    conn = next;
  }
}

/* ---- Posts ---- */

void chs_loop_post(chs_loop *loop, chs_post *post) {
  post->next = NULL;
  pthread_mutex_lock(&loop->post_lock);
  bool closed = loop->closed, first = !loop->posts;
  if (!closed) {
    if (first) {
      loop->posts = post;
    } else {
      loop->last_post->next = post;
    }
    loop->last_post = post;
    if (first) {
      uint64_t one = 1;
      ssize_t written;
      /* The counter cannot overflow: it is written once for each time the queue was empty. */
      do {
        written = write(loop->wake, &one, sizeof one);
      } while (written < 0 && errno == EINTR);
    }
  }
  pthread_mutex_unlock(&loop->post_lock);
  if (closed) chs_post_free(post);
}

static void start_drain(chs_loop *loop, int64_t kill_at) {
  if (kill_at < loop->kill_at) loop->kill_at = kill_at;
  if (loop->draining) return;
  loop->draining = true;
  for (size_t index = 0; index < loop->server->listener_count && loop->accepting; index++) {
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->server->listeners[index].fd, NULL);
  }
  if (loop->accepting && atomic_fetch_sub(&loop->server->accepting, 1) == 1) chs_listeners_close(loop->server);
  loop->accepting = false;
  for (uint32_t slot = 0; slot < loop->slot_count; slot++) {
    if (loop->slots[slot]) chs_conn_drain(loop->slots[slot]);
  }
}

void chs_loop_apply(chs_loop *loop, chs_post *post) {
  if (post->kind == CHS_POST_DRAIN) {
    start_drain(loop, (int64_t)post->exchange.id);
    return;
  }
  if (post->kind == CHS_POST_ADOPT) {
    chs_loop_adopt(loop, post->fd, post->tls, post->counted_address, &post->address, post->peer);
    post->fd = -1;
    return;
  }
  chs_conn *conn = chs_loop_find(loop, post->exchange);
  if (!conn) return;
  switch (post->kind) {
    case CHS_POST_RESPOND:
      chs_conn_respond(conn, &post->response);
      post->response.release = NULL;
      break;
    case CHS_POST_WRITE:
      chs_conn_stream_write(conn, post->bytes, post->length);
      break;
    default:
      chs_conn_stream_end(conn, post->complete);
      break;
  }
  chs_conn_run(conn);
}

static void apply_posts(chs_loop *loop) {
  pthread_mutex_lock(&loop->post_lock);
  chs_post *post = loop->posts;
  loop->posts = loop->last_post = NULL;
  pthread_mutex_unlock(&loop->post_lock);
  while (post) {
    chs_post *next = post->next;
    chs_loop_apply(loop, post);
    chs_post_free(post);
    post = next;
  }
}

/* ---- Answers from any thread ---- */

static bool is_own(chs_server *server, chs_exchange exchange) {
  return current_loop && current_loop->server == server && current_loop->index == exchange.loop &&
         current_loop->dispatching == exchange.id;
}

static chs_post *make_post(chs_post_kind kind, chs_exchange exchange, size_t extra) {
  chs_post *post = calloc(1, sizeof *post + extra);
  if (post) {
    post->kind = kind;
    post->exchange = exchange;
    post->length = extra;
  }
  return post;
}

void chs_respond(chs_server *server, chs_exchange exchange, const chs_response *response) {
  chs_loop *loop = server->loops[exchange.loop];
  if (is_own(server, exchange)) {
    chs_conn *conn = chs_loop_find(loop, exchange);
    if (conn) {
      chs_conn_respond(conn, response);
    } else if (response->release) {
      response->release(response->owner);
    }
    return;
  }
  size_t copied = response->release ? 0 : response->body_length;
  chs_post *post = make_post(CHS_POST_RESPOND, exchange, response->fields_length + copied);
  if (!post) {
    if (response->release) response->release(response->owner);
    return;
  }
  post->response = *response;
  if (response->fields_length > 0) memcpy(post->bytes, response->fields, response->fields_length);
  post->response.fields = (const char *)post->bytes;
  if (copied > 0) {
    memcpy(post->bytes + response->fields_length, response->body, copied);
    post->response.body = post->bytes + response->fields_length;
  }
  chs_loop_post(loop, post);
}

void chs_stream_write(chs_server *server, chs_exchange exchange, const void *bytes, size_t length) {
  chs_post *post = make_post(CHS_POST_WRITE, exchange, length);
  if (!post) return;
  if (length > 0) memcpy(post->bytes, bytes, length);
  chs_loop_post(server->loops[exchange.loop], post);
}

void chs_stream_end(chs_server *server, chs_exchange exchange, bool complete) {
  chs_post *post = make_post(CHS_POST_END, exchange, 0);
  if (!post) return;
  post->complete = complete;
  chs_loop_post(server->loops[exchange.loop], post);
}

/* ---- The turn ---- */

void chs_loop_set_time(chs_loop *loop, int64_t now_ms, int64_t realtime_s) {
  loop->now = now_ms;
  if (realtime_s == loop->date_second) return;
  loop->date_second = realtime_s;
  static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t second = (time_t)realtime_s;
  struct tm date;
  /* IMF-fixdate, RFC 9110 5.6.7, whatever the locale. */
  if (!gmtime_r(&second, &date)) return;
  (void)snprintf(loop->date, sizeof loop->date, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[date.tm_wday % 7],
                 date.tm_mday % 100, months[date.tm_mon % 12], (date.tm_year + 1900) % 10000, date.tm_hour % 100,
                 date.tm_min % 100, date.tm_sec % 100);
}

static void read_clock(chs_loop *loop) {
  struct timespec monotonic, realtime;
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_REALTIME_COARSE, &realtime);
  chs_loop_set_time(loop, (int64_t)monotonic.tv_sec * 1000 + monotonic.tv_nsec / 1000000, realtime.tv_sec);
}

static void take_event(chs_loop *loop, const struct epoll_event *event) {
  uint8_t tag = *(const uint8_t *)event->data.ptr;
  if (tag == CHS_TAG_WAKE) {
    uint64_t count;
    (void)!read(loop->wake, &count, sizeof count);
    return;
  }
  if (tag == CHS_TAG_LISTENER) {
    if (loop->accepting) chs_loop_accept(loop, event->data.ptr);
    return;
  }
  chs_conn *conn = event->data.ptr;
  /* An event of this batch may belong to a connection that an earlier one closed. */
  if (conn->dead) return;
  if (event->events & EPOLLIN) conn->readable = true;
  if (event->events & EPOLLOUT) conn->writable = true;
  if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    chs_conn_hang_up(conn, (event->events & (EPOLLHUP | EPOLLERR)) != 0);
    if (conn->dead) return;
  }
  chs_conn_run(conn);
}

static void kill_all(chs_loop *loop) {
  for (uint32_t slot = 0; slot < loop->slot_count; slot++) {
    if (loop->slots[slot]) chs_conn_kill(loop->slots[slot]);
  }
}

static int time_to_wait(const chs_loop *loop) {
  if (loop->requeued) return 0;
  int wait = chs_wheel_wait(loop);
  if (loop->kill_at != CHS_NEVER) {
    int64_t left = loop->kill_at - loop->now;
    if (left < 0) left = 0;
    if (left > 1000) left = 1000;
    if (wait < 0 || wait > left) wait = (int)left;
  }
  return wait;
}

void *chs_loop_main(void *argument) {
  chs_loop *loop = argument;
  current_loop = loop;
  struct epoll_event events[256];
  read_clock(loop);
  loop->wheel_tick = loop->now / CHS_WHEEL_TICK_MS;
  while (!loop->draining || atomic_load_explicit(&loop->connections, memory_order_relaxed) > 0) {
    int count = epoll_wait(loop->epoll, events, 256, time_to_wait(loop));
    read_clock(loop);
    for (int index = 0; index < count; index++) take_event(loop, &events[index]);
    run_requeued(loop);
    apply_posts(loop);
    chs_wheel_advance(loop);
    if (loop->now >= loop->kill_at) kill_all(loop);
    chs_loop_bury(loop);
  }
  pthread_mutex_lock(&loop->post_lock);
  loop->closed = true;
  pthread_mutex_unlock(&loop->post_lock);
  apply_posts(loop);
  kill_all(loop);
  run_requeued(loop);
  chs_loop_bury(loop);
  if (atomic_fetch_sub(&loop->server->running, 1) == 1) loop->callbacks->on_stopped(loop->callbacks->context);
  return NULL;
}
