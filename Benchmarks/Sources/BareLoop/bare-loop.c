/* The least that can answer HTTP/1.1 over epoll: fixed bytes for whatever ends in an empty line. What a server costs
 * beyond this is its own. usage: bare-loop PORT BODY_BYTES */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
    perror("bare-loop");
    exit(1);
  }
  return fd;
}

/* True when the connection goes on. */
static bool answer(int fd, const char *keep, size_t keep_length, const char *last, size_t last_length) {
  char in[16384];
  for (;;) {
    ssize_t count = recv(fd, in, sizeof in, 0);
    if (count < 0 && errno == EAGAIN) return true;
    if (count <= 0) return false;
    if (count < 4 || memcmp(in + count - 4, "\r\n\r\n", 4) != 0) continue;
    bool ends = memmem(in, (size_t)count, "Connection: close", 17) != NULL;
    size_t length = ends ? last_length : keep_length;
    if (send(fd, ends ? last : keep, length, MSG_NOSIGNAL) != (ssize_t)length || ends) return false;
    if ((size_t)count < sizeof in) return true;
  }
}

static char *response(size_t body, const char *connection, size_t *length) {
  char *text = malloc(body + 256);
  int head = sprintf(text,
                     "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/json\r\n"
                     "X-Request-Id: 0123456789abc\r\n%sContent-Length: %zu\r\n\r\n",
                     connection, body);
  memset(text + head, 'x', body);
  *length = (size_t)head + body;
  return text;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int listener = listen_on((uint16_t)atoi(argv[1])), epoll = epoll_create1(0);
  size_t body = (size_t)atol(argv[2]), keep_length, last_length;
  char *keep = response(body, "", &keep_length), *last = response(body, "Connection: close\r\n", &last_length);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int index = 0; index < count; index++) {
      int fd = events[index].data.fd;
      if (fd != listener) {
        if (!answer(fd, keep, keep_length, last, last_length)) close(fd);
        continue;
      }
      while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        event = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
      }
    }
  }
}
