/* What an answer does to its connection. Callers run the connection afterwards, unless it is running already. */
#include "internal.h"

#include <stdio.h>

void chs_conn_respond(chs_conn *conn, const chs_response *response) {
  chs_loop *loop = conn->loop;
  if (conn->output != CHS_OUT_AWAITED) {
    if (response->release) response->release(response->owner);
    return;
  }
  if (loop->draining || response->close || !conn->body_done || (response->stream && conn->minor_zero)) {
    conn->keep_alive = false;
  }
  size_t length = chs_write_head((char *)loop->out + loop->out_length, CHS_SCRATCH - loop->out_length, conn, response,
                                 !conn->keep_alive);
  if (length == 0) {
    chs_output_flush(conn);
    length = chs_write_head((char *)loop->out, CHS_SCRATCH, conn, response, !conn->keep_alive);
    if (length == 0) conn->dead = true;
  }
  loop->out_length += length;
  bool bodiless = conn->is_head || response->status == 204 || response->status == 304;
  if (response->stream || bodiless) {
    if (response->release) response->release(response->owner);
  } else if (response->body_length > 0 || response->release) {
    chs_output_body(conn, response->body, response->body_length, response->release, response->owner);
  }
  if (response->stream && !bodiless) {
    conn->output = CHS_OUT_STREAM;
  } else {
    chs_conn_finish_exchange(conn, true);
  }
}

void chs_conn_stream_write(chs_conn *conn, const void *bytes, size_t length) {
  if (conn->output != CHS_OUT_STREAM) return;
  conn->owes_writable = true;
  /* A chunk of length 0 would end the body. */
  if (length == 0) return;
  if (conn->minor_zero) {
    chs_output_copy(conn, bytes, length);
    return;
  }
  char size[24];
  int digits = snprintf(size, sizeof size, "%zx\r\n", length);
  chs_output_copy(conn, size, (size_t)digits);
  chs_output_copy(conn, bytes, length);
  chs_output_copy(conn, "\r\n", 2);
}

void chs_conn_stream_end(chs_conn *conn, bool complete) {
  if (conn->output == CHS_OUT_AWAITED && !complete) conn->dead = true;
  if (conn->output != CHS_OUT_STREAM) return;
  if (!complete) {
    conn->dead = true;
    return;
  }
  if (!conn->minor_zero) chs_output_copy(conn, "0\r\n\r\n", 5);
  chs_conn_finish_exchange(conn, true);
}
