/* From a listening socket to a connection: limits first, then the loop with the fewest connections. */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 32 };

/* IPv4 as IPv4-mapped IPv6; of IPv6 the /64 that one customer holds. */
static void describe_peer(const struct sockaddr_storage *address, chs_address_key *key, char *peer, size_t size) {
  memset(key, 0, sizeof *key);
  if (address->ss_family == AF_INET) {
    const struct in_addr *v4 = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    key->bytes[10] = key->bytes[11] = 0xff;
    memcpy(key->bytes + 12, v4, 4);
    (void)inet_ntop(AF_INET, v4, peer, (socklen_t)size);
    return;
  }
  const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(v6)) {
    memcpy(key->bytes, v6, 16);
    (void)inet_ntop(AF_INET, v6->s6_addr + 12, peer, (socklen_t)size);
    return;
  }
  memcpy(key->bytes, v6, 8);
  (void)inet_ntop(AF_INET6, v6, peer, (socklen_t)size);
}

void chs_loop_adopt(chs_loop *loop, int fd, bool tls, bool counted, const chs_address_key *address,
                    const char *peer) {
  chs_conn *conn = loop->draining ? NULL : chs_loop_add(loop, &chs_plain_transport, fd);
  if (!conn) {
    (void)close(fd);
    if (counted) chs_addresses_leave(&loop->server->addresses, address);
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&loop->turned_away, 1, memory_order_relaxed);
    return;
  }
  conn->input = CHS_IN_HEAD;
  conn->counted_address = counted;
  conn->address = *address;
  memcpy(conn->peer, peer, sizeof conn->peer);
  atomic_fetch_add_explicit(&loop->accepted, 1, memory_order_relaxed);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
  if ((tls && !chs_tls_begin(conn, loop->server)) || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    chs_conn_kill(conn);
    return;
  }
  /* Whether bytes are here already, the registration's first event tells. */
  conn->readable = false;
  chs_conn_run(conn);
}

static chs_loop *least_loaded(chs_loop *own) {
  chs_server *server = own->server;
  uint32_t mine = atomic_load_explicit(&own->connections, memory_order_relaxed);
  chs_loop *best = own;
  /* Handing over costs a wake-up: only for a clear difference. */
  uint32_t least = mine > 4 ? mine - mine / 8 - 4 : 0;
  for (uint32_t index = 0; index < server->loop_count; index++) {
    uint32_t count = atomic_load_explicit(&server->loops[index]->connections, memory_order_relaxed);
    if (count < least) {
      least = count;
      best = server->loops[index];
    }
  }
  return best;
}

static void hand_over(chs_loop *loop, int fd, const chs_listener *listener, bool counted,
                      const chs_address_key *address, const char *peer) {
  chs_loop *target = least_loaded(loop);
  if (target == loop) {
    chs_loop_adopt(loop, fd, listener->tls, counted, address, peer);
    return;
  }
  chs_post *post = calloc(1, sizeof *post);
  if (!post) {
    chs_loop_adopt(loop, fd, listener->tls, counted, address, peer);
    return;
  }
  post->kind = CHS_POST_ADOPT;
  post->fd = fd;
  post->tls = listener->tls;
  post->counted_address = counted;
  post->address = *address;
  memcpy(post->peer, peer, sizeof post->peer);
  chs_loop_post(target, post);
}

static void turn_away(chs_loop *loop, int fd) {
  (void)close(fd);
  atomic_fetch_add_explicit(&loop->turned_away, 1, memory_order_relaxed);
}

/* Out of descriptors: make room, or take the connection off the queue with the spare one, or the listener would wake
 * the loop for ever. False when nothing helped. */
static bool survive_descriptor_shortage(chs_loop *loop, const chs_listener *listener) {
  if (chs_loop_evict(loop)) return true;
  if (loop->spare >= 0) (void)close(loop->spare);
  int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) turn_away(loop, fd);
  loop->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static bool admit(chs_loop *loop) {
  chs_server *server = loop->server;
  uint32_t open = atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed);
  if (open < server->config.max_connections || chs_loop_evict(loop)) return true;
  atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
  return false;
}

void chs_loop_accept(chs_loop *loop, chs_listener *listener) {
  chs_server *server = loop->server;
  for (int count = 0; count < ACCEPTS_PER_TURN; count++) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
      if ((errno == EMFILE || errno == ENFILE) && survive_descriptor_shortage(loop, listener)) continue;
      return;
    }
    if (!admit(loop)) {
      turn_away(loop, fd);
      continue;
    }
    chs_address_key key = {0};
    char peer[46] = "unix";
    bool counted = false;
    if (!listener->is_unix) {
      describe_peer(&address, &key, peer, sizeof peer);
      counted = chs_addresses_enter(&server->addresses, &key, server->config.max_connections_per_address);
      if (!counted) {
        atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
        turn_away(loop, fd);
        continue;
      }
    }
    hand_over(loop, fd, listener, counted, &key, peer);
  }
}
