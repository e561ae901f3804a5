/* Sending: small things gather in the loop's buffer until the end of a turn; what the socket does not take waits in
 * pieces, and while pieces wait no further request is read. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static void append(chs_conn *conn, chs_piece *piece) {
  piece->next = NULL;
  if (conn->last) {
    conn->last->next = piece;
  } else {
    conn->first = piece;
  }
  conn->last = piece;
  conn->output_pending += piece->length;
}

static void keep_copy(chs_conn *conn, const uint8_t *bytes, size_t length) {
  if (length == 0) return;
  chs_piece *piece = malloc(sizeof *piece + length);
  if (!piece) {
    conn->dead = true;
    return;
  }
  memcpy(piece->copied, bytes, length);
  piece->bytes = piece->copied;
  piece->length = length;
  piece->release = NULL;
  append(conn, piece);
}

static void keep_borrowed(chs_conn *conn, const uint8_t *bytes, size_t length, void (*release)(void *), void *owner) {
  chs_piece *piece = malloc(sizeof *piece);
  if (!piece) {
    conn->dead = true;
    release(owner);
    return;
  }
  *piece = (chs_piece){.bytes = bytes, .length = length, .release = release, .owner = owner};
  append(conn, piece);
}

/* Bytes taken by the transport; on failure the connection is dead. */
static size_t send_parts(chs_conn *conn, const struct iovec *parts, int count, size_t total) {
  if (!conn->writable || conn->dead) return 0;
  ssize_t sent = conn->transport->write(conn, parts, count);
  if (sent == CHS_IO_FAILED) conn->dead = true;
  if (sent < 0) sent = 0;
  if ((size_t)sent < total) conn->writable = false;
  conn->phase_bytes += (size_t)sent;
  conn->turn_sent += (size_t)sent;
  return (size_t)sent;
}

/* Sends what gathered in the loop's buffer and then `rest`; keeps what was not taken. */
static void send_gathered(chs_conn *conn, const uint8_t *rest, size_t rest_length, void (*release)(void *),
                          void *owner) {
  chs_loop *loop = conn->loop;
  size_t gathered = loop->out_length;
  loop->out_length = 0;
  size_t sent = 0;
  if (!conn->first && gathered + rest_length > 0) {
    struct iovec parts[2] = {{.iov_base = loop->out, .iov_len = gathered},
                             {.iov_base = (void *)rest, .iov_len = rest_length}};
    int skip = gathered == 0, count = (gathered > 0) + (rest_length > 0);
    sent = send_parts(conn, parts + skip, count, gathered + rest_length);
  }
  size_t from_gathered = sent < gathered ? sent : gathered;
  keep_copy(conn, loop->out + from_gathered, gathered - from_gathered);
  size_t from_rest = sent - from_gathered;
  if (from_rest == rest_length) {
    if (release) release(owner);
  } else if (release) {
    keep_borrowed(conn, rest + from_rest, rest_length - from_rest, release, owner);
  } else {
    keep_copy(conn, rest + from_rest, rest_length - from_rest);
  }
}

void chs_output_copy(chs_conn *conn, const void *bytes, size_t length) {
  chs_loop *loop = conn->loop;
  if (length > CHS_SCRATCH - loop->out_length) {
    send_gathered(conn, bytes, length, NULL, NULL);
    return;
  }
  memcpy(loop->out + loop->out_length, bytes, length);
  loop->out_length += length;
}

void chs_output_body(chs_conn *conn, const void *bytes, size_t length, void (*release)(void *), void *owner) {
  if (length < conn->transport->gather_below && length <= CHS_SCRATCH - conn->loop->out_length) {
    chs_output_copy(conn, bytes, length);
    if (release) release(owner);
  } else {
    send_gathered(conn, bytes, length, release, owner);
  }
}

static void drop_first(chs_conn *conn) {
  chs_piece *piece = conn->first;
  conn->first = piece->next;
  if (!conn->first) conn->last = NULL;
  if (piece->release) piece->release(piece->owner);
  free(piece);
}

void chs_output_flush(chs_conn *conn) {
  while (conn->first && conn->writable && !conn->dead) {
    struct iovec parts[16];
    int count = 0;
    size_t total = 0;
    for (chs_piece *piece = conn->first; piece && count < 16; piece = piece->next) {
      parts[count++] = (struct iovec){.iov_base = (void *)piece->bytes, .iov_len = piece->length};
      total += piece->length;
    }
    size_t sent = send_parts(conn, parts, count, total);
    conn->output_pending -= sent;
    while (sent > 0) {
      if (sent < conn->first->length) {
        conn->first->bytes += sent;
        conn->first->length -= sent;
        break;
      }
      sent -= conn->first->length;
      drop_first(conn);
    }
  }
  if (conn->loop->out_length > 0) send_gathered(conn, NULL, 0, NULL, NULL);
}

void chs_output_free(chs_conn *conn) {
  while (conn->first) drop_first(conn);
  conn->output_pending = 0;
}
