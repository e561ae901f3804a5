/* Bytes over a plain socket. */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t plain_read(chs_conn *conn, void *bytes, size_t length) {
  ssize_t count;
  do {
    count = recv(conn->fd, bytes, length, 0);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EWOULDBLOCK ? CHS_IO_AGAIN : CHS_IO_FAILED;
}

static ssize_t plain_write(chs_conn *conn, const struct iovec *parts, int count) {
  ssize_t sent;
  do {
    if (count == 1) {
      sent = send(conn->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    } else {
      struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
      sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return sent;
  return errno == EAGAIN || errno == EWOULDBLOCK ? CHS_IO_AGAIN : CHS_IO_FAILED;
}

static int plain_handshake(chs_conn *conn) {
  (void)conn;
  return 1;
}

static void plain_shut(chs_conn *conn) { (void)shutdown(conn->fd, SHUT_WR); }

static void plain_close(chs_conn *conn) { (void)close(conn->fd); }

const chs_transport chs_plain_transport = {
    .read = plain_read,
    .write = plain_write,
    .handshake = plain_handshake,
    .shut = plain_shut,
    .close = plain_close,
    .gather_below = CHS_GATHER_BELOW,
};
