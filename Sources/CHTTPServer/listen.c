/* Addresses to listening sockets. One socket serves all loops (EPOLLEXCLUSIVE): unlike SO_REUSEPORT, a second server
 * on the same port is told so instead of silently taking half of the requests. */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static chs_listener *append(chs_server *server, int fd, char *error, size_t error_size) {
  chs_listener *grown = realloc(server->listeners, (server->listener_count + 1) * sizeof *grown);
  if (!grown) {
    (void)close(fd);
    (void)snprintf(error, error_size, "out of memory");
    return NULL;
  }
  server->listeners = grown;
  chs_listener *listener = &grown[server->listener_count++];
  *listener = (chs_listener){.tag = CHS_TAG_LISTENER, .fd = fd};
  return listener;
}

static void describe(chs_listener *listener) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char host[64] = "", service[16] = "";
  if (getsockname(listener->fd, (struct sockaddr *)&address, &length) != 0) return;
  if (address.ss_family == AF_UNIX) {
    listener->is_unix = true;
    const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)&address;
    (void)snprintf(listener->text, sizeof listener->text, "unix:%s", local->sun_path);
    return;
  }
  if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, service, sizeof service,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return;
  }
  bool v6 = address.ss_family == AF_INET6;
  (void)snprintf(listener->text, sizeof listener->text, v6 ? "[%s]:%s" : "%s:%s", host, service);
}

static bool listen_unix(chs_server *server, const char *path, char *error, size_t error_size) {
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  if (strlen(path) == 0 || strlen(path) >= sizeof local.sun_path) {
    (void)snprintf(error, error_size, "unix:%s: a socket path has 1 to %zu bytes", path, sizeof local.sun_path - 1);
    return false;
  }
  memcpy(local.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    (void)snprintf(error, error_size, "unix:%s: %s", path, strerror(errno));
    return false;
  }
  /* A socket file that nobody listens on is left over from a process that was killed. */
  struct stat status;
  if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
    if (connect(fd, (struct sockaddr *)&local, sizeof local) != 0 && errno == ECONNREFUSED) (void)unlink(path);
    (void)close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) != 0 ||
      listen(fd, (int)server->config.backlog) != 0) {
    (void)snprintf(error, error_size, "unix:%s: %s", path, strerror(errno));
    if (fd >= 0) (void)close(fd);
    return false;
  }
  chs_listener *listener = append(server, fd, error, error_size);
  if (!listener) return false;
  memcpy(listener->unlink_path, path, strlen(path) + 1);
  describe(listener);
  return true;
}

/* The protocol of sd_listen_fds(3): descriptors from 3 on, if they are meant for this process. */
static bool listen_handed_over(chs_server *server, char *error, size_t error_size) {
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid()) {
    (void)snprintf(error, error_size, "systemd: no sockets were handed over (LISTEN_PID, LISTEN_FDS)");
    return false;
  }
  long descriptors = strtol(count, NULL, 10);
  for (int fd = 3; fd < 3 + descriptors && descriptors <= 64; fd++) {
    int listening = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 || !listening) {
      (void)snprintf(error, error_size, "systemd: descriptor %d is not a listening stream socket", fd);
      return false;
    }
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    chs_listener *listener = append(server, fd, error, error_size);
    if (!listener) return false;
    listener->inherited = true;
    describe(listener);
    listener->tls = server->config.tls.certificate_file && !listener->is_unix;
  }
  return true;
}

static int open_tcp(const struct addrinfo *info, bool dual_stack, uint32_t backlog) {
  int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return -1;
  int on = 1, only_v6 = !dual_stack;
  /* Accepted sockets inherit TCP_NODELAY: without it every second small answer waits for a delayed ACK. */
  bool ready = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
               setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
  if (info->ai_family == AF_INET6) ready = ready && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) == 0;
  if (ready && bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, (int)backlog) == 0) return fd;
  int cause = errno;
  (void)close(fd);
  errno = cause;
  return -1;
}

/* Splits "host:port", "[v6]:port" and "*:port"; false when it is none of them. */
static bool split(const char *address, char *host, size_t size, const char **port) {
  const char *colon = strrchr(address, ':');
  if (!colon || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
      strtol(colon + 1, NULL, 10) > 65535) {
    return false;
  }
  *port = colon + 1;
  size_t length = (size_t)(colon - address);
  bool bracketed = length > 2 && address[0] == '[' && address[length - 1] == ']';
  if (bracketed) {
    address++;
    length -= 2;
  } else if (memchr(address, ':', length)) {
    return false;
  }
  if (length >= size) return false;
  memcpy(host, address, length);
  host[length] = '\0';
  return true;
}

static bool listen_tcp(chs_server *server, const char *address, char *error, size_t error_size) {
  char host[256];
  const char *port;
  if (!split(address, host, sizeof host, &port)) {
    (void)snprintf(error, error_size, "%s: an address is host:port, [v6]:port, *:port, unix:PATH or systemd", address);
    return false;
  }
  bool any = host[0] == '\0' || strcmp(host, "*") == 0;
  struct addrinfo hints = {.ai_family = any ? AF_INET6 : AF_UNSPEC,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  int failure = getaddrinfo(any ? NULL : host, port, &hints, &found);
  if (failure != 0) {
    (void)snprintf(error, error_size, "%s: %s", address, gai_strerror(failure));
    return false;
  }
  size_t opened = 0;
  int cause = 0;
  for (const struct addrinfo *info = found; info; info = info->ai_next) {
    int fd = open_tcp(info, any, server->config.backlog);
    if (fd < 0) {
      cause = errno;
      /* A name may stand for an address family that this machine lacks; a port in use is the operator's to settle. */
      if (cause == EADDRNOTAVAIL || cause == EAFNOSUPPORT) continue;
      opened = 0;
      break;
    }
    chs_listener *listener = append(server, fd, error, error_size);
    if (!listener) break;
    listener->tls = server->config.tls.certificate_file != NULL;
    describe(listener);
    opened++;
  }
  freeaddrinfo(found);
  if (opened > 0) return true;
  if (any && cause == EAFNOSUPPORT) {
    char fallback[32];
    (void)snprintf(fallback, sizeof fallback, "0.0.0.0:%s", port);
    return listen_tcp(server, fallback, error, error_size);
  }
  (void)snprintf(error, error_size, "%s: %s", address, strerror(cause));
  return false;
}

bool chs_listen(chs_server *server, const char *address, char *error, size_t error_size) {
  if (strncmp(address, "unix:", 5) == 0) return listen_unix(server, address + 5, error, error_size);
  if (strcmp(address, "systemd") == 0) return listen_handed_over(server, error, error_size);
  return listen_tcp(server, address, error, error_size);
}

void chs_listeners_close(chs_server *server) {
  for (size_t index = 0; index < server->listener_count; index++) {
    chs_listener *listener = &server->listeners[index];
    if (listener->fd >= 0) (void)close(listener->fd);
    listener->fd = -1;
    if (listener->unlink_path[0] != '\0') (void)unlink(listener->unlink_path);
    listener->unlink_path[0] = '\0';
  }
}
