/* Sends GET requests at a steady rate, whether or not the server keeps up, and prints how long they took from the moment
 * they were due: the median and the 99th percentile in microseconds.
 * usage: paced-client PORT PATH CONNECTIONS RATE SECONDS */
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

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  size_t connections = (size_t)atol(argv[3]), rate = (size_t)atol(argv[4]);
  size_t total = (size_t)((double)rate * atof(argv[5])), sent = 0, done = 0, idle = 0;
  char request[512], in[65536];
  size_t length = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", argv[2]);
  int *free_sockets = malloc(connections * sizeof *free_sockets);
  int64_t *due = calloc(65536, sizeof *due), *taken = malloc(total * sizeof *taken);
  int epoll = epoll_create1(0);
  for (size_t index = 0; index < connections; index++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
      perror("paced-client");
      return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    free_sockets[idle++] = fd;
  }
  int64_t start = now_ns(), gap = 1000000000 / (int64_t)rate;
  while (done < total) {
    int64_t now = now_ns();
    /* A request that is due while every connection is busy waits, and its wait counts. */
    while (sent < total && idle > 0 && start + (int64_t)sent * gap <= now) {
      int fd = free_sockets[--idle];
      due[fd] = start + (int64_t)sent++ * gap;
      if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) return 1;
    }
    struct epoll_event events[256];
    int64_t next = sent < total && idle > 0 ? start + (int64_t)sent * gap - now_ns() : 1000000000;
    struct timespec wait = {.tv_sec = 0, .tv_nsec = next < 0 ? 0 : next > 999999999 ? 999999999 : next};
    int count = epoll_pwait2(epoll, events, 256, &wait, NULL);
    for (int index = 0; index < count; index++) {
      int fd = events[index].data.fd;
      if (recv(fd, in, sizeof in, 0) <= 0) return 1;
      taken[done++] = now_ns() - due[fd];
      free_sockets[idle++] = fd;
    }
  }
  qsort(taken, total, sizeof *taken, compare);
  printf("%.1f %.1f\n", (double)taken[total / 2] / 1000, (double)taken[total * 99 / 100] / 1000);
  return 0;
}
