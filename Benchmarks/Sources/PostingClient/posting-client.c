/* Registers workloads one by one, each connection the next as soon as the one before is answered 201, and prints how many
 * there were a second and how long they took: the median and the 99th percentile in microseconds.
 * usage: posting-client PORT CONNECTIONS SECONDS PREFIX */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../Timing/timing.h"

enum { MOST = 10000000, CONNECTIONS = 1024 };

static const char *prefix;
static size_t sent;

static int post(int fd) {
  char body[512], request[1024];
  int length = snprintf(body, sizeof body,
      "{\"id\":\"%s-%zu\",\"model\":\"resnet50\",\"rate\":829.5,\"slo\":{\"latencyMs\":204.5,\"percentile\":0.99},"
      "\"labels\":{\"team\":\"vision\",\"region\":\"eu-west-1\"}}", prefix, sent++);
  int whole = snprintf(request, sizeof request,
      "POST /v1/workloads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
      length, body);
  return send(fd, request, (size_t)whole, MSG_NOSIGNAL) == whole;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int connections = atoi(argv[2]);
  prefix = argv[4];
  static int64_t begun[CONNECTIONS + 64];
  int64_t *taken = malloc(MOST * sizeof *taken);
  int epoll = epoll_create1(0);
  size_t done = 0;
  int64_t start = now_ns(), end = start + (int64_t)(atof(argv[3]) * 1e9);
  if (taken == NULL || connections < 1 || connections > CONNECTIONS) return 2;
  for (int index = 0; index < connections; index++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd >= CONNECTIONS + 64 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
      perror("posting-client");
      return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    begun[fd] = now_ns();
    if (!post(fd)) return 1;
  }
  int64_t now = start;
  for (int open = connections; open > 0;) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, 10000);
    now = now_ns();
    if (count <= 0) return 1;
    for (int index = 0; index < count; index++) {
      int fd = events[index].data.fd;
      char in[65536];
      ssize_t got = recv(fd, in, sizeof in, 0);
      if (got < 12 || memcmp(in + 9, "201", 3) != 0) {
        fprintf(stderr, "posting-client: %.*s\n", (int)got, in);
        return 1;
      }
      if (done < MOST) taken[done++] = now - begun[fd];
      if (now >= end) {
        close(fd);
        open--;
      } else {
        begun[fd] = now;
        if (!post(fd)) return 1;
      }
    }
  }
  qsort(taken, done, sizeof *taken, compare);
  printf("%.0f %.1f %.1f\n", (double)done * 1e9 / (double)(now - start), (double)taken[done / 2] / 1000,
      (double)taken[done * 99 / 100] / 1000);
  return 0;
}
