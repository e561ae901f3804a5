/* The state machine of one connection: which bytes it reads, when it answers, how it ends. It does no I/O but through
 * its transport and knows the time only from its loop, so that it runs without sockets under test. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static bool wants_bytes(const chs_conn *conn) {
  switch ((chs_input)conn->input) {
    case CHS_IN_HEAD:
      /* Back-pressure: the next request waits until the last answer is on its way. */
      return conn->output == CHS_OUT_NONE && !conn->first;
    case CHS_IN_BODY:
    case CHS_IN_LINGER:
      return true;
    default:
      return false;
  }
}

/* ---- Memory of bodies ---- */

static void release_body(chs_conn *conn) {
  chs_bodies_give(conn->loop->bodies, conn->body_held);
  conn->body_held.bytes = 0;
}

static void drop_message(chs_conn *conn) {
  free(conn->message);
  conn->message = NULL;
  conn->message_length = conn->message_capacity = 0;
}

static bool is_small(const chs_conn *conn, uint64_t length) { return length <= conn->loop->config->small_body; }

/* Counts what has been received; anything but CHS_OK, and nothing counted, where that is too much. */
static chs_error hold_body(chs_conn *conn) {
  if (is_small(conn, conn->body_received)) return CHS_OK;
  uint64_t more = conn->body_received - conn->body_held.bytes;
  chs_error error = chs_bodies_take(conn->loop->bodies, conn->body_held.holder, more);
  if (error == CHS_OK) conn->body_held.bytes = conn->body_received;
  return error;
}

/* ---- Ends ---- */

void chs_conn_kill(chs_conn *conn) {
  chs_loop *loop = conn->loop;
  if (loop->slots[conn->slot] != conn) return;
  void *user = conn->user;
  conn->user = NULL;
  conn->exchange = 0;
  conn->dead = true;
  chs_loop_remove(loop, conn);
  conn->transport->close(conn);
  chs_output_free(conn);
  release_body(conn);
  if (user) loop->callbacks->on_done(user, false);
}

void chs_conn_finish_exchange(chs_conn *conn, bool completed) {
  void *user = conn->user;
  conn->user = NULL;
  conn->exchange = 0;
  /* What was answered before the drain began said that the connection stays; nobody waits for another request on it. */
  if (conn->keep_alive && conn->body_done && !conn->loop->draining) {
    conn->output = CHS_OUT_NONE;
    conn->input = CHS_IN_HEAD;
    conn->began = true;
  } else {
    conn->output = CHS_OUT_CLOSING;
  }
  if (user) conn->loop->callbacks->on_done(user, completed);
}

/* Everything is sent and the connection shall end. A close while the client still sends would reset the connection and
 * might take our answer with it (RFC 9112 9.6). */
static void end(chs_conn *conn) {
  bool unread = conn->refused || !conn->body_done || conn->pending_length > 0 || conn->readable;
  if (!unread || conn->eof || conn->hung_up) {
    if (conn->tls) conn->transport->shut(conn);
    conn->dead = true;
    return;
  }
  conn->transport->shut(conn);
  conn->input = CHS_IN_LINGER;
  conn->output = CHS_OUT_NONE;
  conn->pending_length = 0;
}

void chs_conn_hang_up(chs_conn *conn, bool both) {
  conn->hung_up = true;
  conn->readable = true;
  /* Half-closed clients may await their answer, but nobody half-closes to watch a stream of events. */
  if (both || conn->output == CHS_OUT_STREAM) chs_conn_kill(conn);
}

void chs_conn_drain(chs_conn *conn) {
  bool idle = conn->input == CHS_IN_HANDSHAKE || (conn->input == CHS_IN_HEAD && conn->pending_length == 0);
  if (!idle || conn->readable) return;
  if (conn->first) {
    /* The end of an answer is on its way yet. */
    conn->output = CHS_OUT_CLOSING;
    return;
  }
  conn->transport->shut(conn);
  chs_conn_kill(conn);
}

void chs_conn_refuse(chs_conn *conn, chs_error error) {
  chs_loop *loop = conn->loop;
  void *user = conn->user;
  conn->user = NULL;
  if (user) loop->callbacks->on_done(user, false);
  atomic_fetch_add_explicit(&loop->refused, 1, memory_order_relaxed);
  conn->refused = true;
  conn->keep_alive = false;
  drop_message(conn);
  release_body(conn);
  conn->input = CHS_IN_DONE;
  conn->output = CHS_OUT_AWAITED;
  conn->exchange = ++loop->next_exchange;
  chs_exchange exchange = {.loop = loop->index, .slot = conn->slot, .id = conn->exchange};
  loop->dispatching = conn->exchange;
  loop->callbacks->on_refused(loop->callbacks->context, exchange, error, conn->peer);
  loop->dispatching = 0;
  if (conn->output != CHS_OUT_CLOSING) conn->dead = true;
}

void chs_conn_expire(chs_conn *conn) {
  bool partial = conn->input == CHS_IN_BODY || (conn->input == CHS_IN_HEAD && conn->pending_length > 0);
  if (conn->phase == CHS_PHASE_WRITE || conn->phase == CHS_PHASE_LINGER || !partial) {
    chs_conn_kill(conn);
    return;
  }
  chs_conn_refuse(conn, CHS_REQUEST_TIMEOUT);
  chs_conn_run(conn);
}

/* ---- Requests ---- */

static chs_request describe(chs_conn *conn, const uint8_t *bytes, size_t path_length) {
  return (chs_request){
      .bytes = bytes,
      .head = &conn->loop->head,
      .fields = conn->loop->head.fields,
      .path = conn->loop->path,
      .path_length = path_length,
      .peer = conn->peer,
      .subject = conn->subject,
      .uris = conn->uris,
  };
}

static void dispatch(chs_conn *conn, chs_request *request) {
  chs_loop *loop = conn->loop;
  conn->requests++;
  atomic_fetch_add_explicit(&loop->requests, 1, memory_order_relaxed);
  conn->exchange = ++loop->next_exchange;
  conn->output = CHS_OUT_AWAITED;
  chs_exchange exchange = {.loop = loop->index, .slot = conn->slot, .id = conn->exchange};
  loop->dispatching = conn->exchange;
  void *user = loop->callbacks->on_request(loop->callbacks->context, exchange, request);
  loop->dispatching = 0;
  if (!user) {
    chs_bodies_give(loop->bodies, request->held);
    return;
  }
  if (conn->exchange == exchange.id) {
    conn->user = user;
  } else {
    loop->callbacks->on_done(user, true);
  }
}

static bool reserve(uint8_t **buffer, size_t *capacity, size_t length) {
  if (length <= *capacity) return true;
  size_t wanted = *capacity < 512 ? 512 : *capacity;
  while (wanted < length) wanted *= 2;
  uint8_t *grown = realloc(*buffer, wanted);
  if (!grown) return false;
  *buffer = grown;
  *capacity = wanted;
  return true;
}

static void gather(chs_conn *conn, const uint8_t *bytes, size_t length) {
  if (!reserve(&conn->message, &conn->message_capacity, conn->message_length + length)) {
    conn->dead = true;
    return;
  }
  memcpy(conn->message + conn->message_length, bytes, length);
  conn->message_length += length;
}

/* The head is parsed a second time when its body is whole: cheaper than keeping 2 KB of offsets for every waiting
 * request. */
static void dispatch_gathered(chs_conn *conn) {
  chs_loop *loop = conn->loop;
  conn->input = CHS_IN_DONE;
  conn->body_done = true;
  if (chs_parse_head(conn->message, conn->head_length, &loop->config->parse, &loop->head) != CHS_OK) {
    conn->dead = true;
    return;
  }
  chs_span path = loop->head.path;
  chs_request request =
      describe(conn, conn->message, (size_t)chs_normalize_path(conn->message + path.at, path.length, loop->path));
  request.body = conn->message + conn->head_length;
  request.body_length = conn->message_length - conn->head_length;
  request.held = conn->body_held;
  conn->body_held.bytes = 0;
  dispatch(conn, &request);
  drop_message(conn);
}

/* Returns how many of the `rest` bytes after the head it used. */
static size_t take_head(chs_conn *conn, const uint8_t *bytes, size_t head_length, size_t rest) {
  chs_loop *loop = conn->loop;
  chs_head *head = &loop->head;
  bool has_body = head->chunked || head->content_length > 0;
  conn->keep_alive = head->keep_alive && !loop->draining && !conn->eof &&
                     conn->requests + 1 < loop->config->max_requests_per_connection;
  conn->minor_zero = head->minor_version == 0;
  conn->is_head = head->method.length == 4 && memcmp(bytes + head->method.at, "HEAD", 4) == 0;
  conn->body_done = !has_body;
  conn->body_received = 0;

  ptrdiff_t path_length = chs_normalize_path(bytes + head->path.at, head->path.length, loop->path);
  if (path_length < 0) {
    chs_conn_refuse(conn, CHS_BAD_TARGET);
    return 0;
  }
  chs_request request = describe(conn, bytes, (size_t)path_length);
  if (!has_body) {
    conn->input = CHS_IN_DONE;
    dispatch(conn, &request);
    return 0;
  }

  chs_verdict verdict = loop->callbacks->on_head(loop->callbacks->context, &request);
  conn->body_limit = verdict.body_limit;
  if (head->content_length > 0 && (uint64_t)head->content_length > verdict.body_limit) {
    chs_conn_refuse(conn, CHS_BODY_TOO_LARGE);
    return 0;
  }
  conn->body_held.holder = verdict.holder;
  if (!verdict.unread && head->content_length > 0 && !is_small(conn, (uint64_t)head->content_length)) {
    chs_error error = chs_bodies_room(loop->bodies, verdict.holder, (uint64_t)head->content_length);
    if (error != CHS_OK) {
      chs_conn_refuse(conn, error);
      return 0;
    }
  }
  if (verdict.unread) {
    conn->input = CHS_IN_DONE;
    request.unread = true;
    dispatch(conn, &request);
    return 0;
  }
  if (head->expect_continue && rest == 0) chs_output_copy(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
  if (head->content_length > 0 && (uint64_t)head->content_length <= rest) {
    /* The whole body came with its head: no copy. */
    conn->decoder = (chs_decoder){0};
    conn->input = CHS_IN_DONE;
    conn->body_done = true;
    request.body = bytes + head_length;
    request.body_length = (size_t)head->content_length;
    dispatch(conn, &request);
    return (size_t)head->content_length;
  }
  conn->input = CHS_IN_BODY;
  conn->head_length = (uint32_t)head_length;
  conn->message_length = 0;
  gather(conn, bytes, head_length);
  return 0;
}

static void take_data(chs_conn *conn, const uint8_t *bytes, size_t length) {
  conn->body_received += length;
  if (conn->body_received > conn->body_limit) {
    chs_conn_refuse(conn, CHS_BODY_TOO_LARGE);
    return;
  }
  chs_error error = hold_body(conn);
  if (error != CHS_OK) {
    chs_conn_refuse(conn, error);
  } else {
    gather(conn, bytes, length);
  }
}

/* Pipelined requests are cheap to send and may be dear to answer: a client gets no more of a turn than others. */
static bool has_had_its_turn(const chs_conn *conn) {
  return conn->input == CHS_IN_HEAD &&
         (conn->requests >= conn->turn_end || conn->turn_sent >= CHS_SENT_PER_TURN);
}

/* Works through bytes; returns how many are used up. */
static size_t consume(chs_conn *conn, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  if (conn->input == CHS_IN_LINGER) return length;
  conn->starved = false;
  while (wants_bytes(conn) && !conn->dead && !has_had_its_turn(conn)) {
    chs_event event = chs_decode(&conn->decoder, &conn->loop->config->parse, bytes + at, length - at, &conn->loop->head);
    at += event.consumed;
    switch (event.kind) {
      case CHS_NEED_MORE:
        conn->starved = true;
        return at;
      case CHS_HEAD:
        at += take_head(conn, bytes + at - event.length, event.length, length - at);
        break;
      case CHS_DATA:
        take_data(conn, bytes + at - event.consumed + event.at, event.length);
        break;
      case CHS_END:
        dispatch_gathered(conn);
        break;
      case CHS_FAILED:
        if (conn->input == CHS_IN_HEAD) conn->is_head = conn->minor_zero = false;
        chs_conn_refuse(conn, event.error);
        return length;
    }
  }
  return at;
}

static void keep_pending(chs_conn *conn, const uint8_t *bytes, size_t length) {
  if (length == 0) {
    free(conn->pending);
    conn->pending = NULL;
    conn->pending_length = conn->pending_capacity = 0;
    return;
  }
  size_t capacity = conn->pending_capacity;
  if (!reserve(&conn->pending, &capacity, length)) {
    conn->dead = true;
    return;
  }
  conn->pending_capacity = (uint32_t)capacity;
  memcpy(conn->pending, bytes, length);
  conn->pending_length = (uint32_t)length;
}

static void take_eof(chs_conn *conn) {
  conn->eof = true;
  conn->keep_alive = false;
  /* A request that broke off gets no answer: nobody can tell whether it was meant so. */
  if (conn->input != CHS_IN_DONE) conn->dead = true;
}

static void read_some(chs_conn *conn) {
  chs_loop *loop = conn->loop;
  size_t kept = conn->pending_length;
  /* What is read and cannot be answered yet is kept: of requests to come that is little, of a body nothing. */
  size_t most = conn->input == CHS_IN_HEAD ? loop->config->parse.head_bytes + CHS_PIPELINE_ROOM : CHS_SCRATCH;
  size_t room = most - kept;
  ssize_t count = conn->transport->read(conn, loop->in + kept, room);
  if (count <= 0) {
    conn->readable = false;
    if (count == CHS_IO_FAILED) conn->dead = true;
    if (count == CHS_IO_EOF) take_eof(conn);
    return;
  }
  /* A short read has emptied the socket: the next bytes bring a new edge, as does the end (EPOLLRDHUP). */
  if ((size_t)count < room && !conn->hung_up && !conn->tls) conn->readable = false;
  if (conn->phase == CHS_PHASE_BODY) conn->phase_bytes += (size_t)count;
  if (kept > 0) memcpy(loop->in, conn->pending, kept);
  size_t length = kept + (size_t)count;
  size_t used = consume(conn, loop->in, length);
  if (kept > 0 || used < length) keep_pending(conn, loop->in + used, length - used);
}

/* Works on bytes that were read earlier; in the loop's buffer, because `pending` may be replaced meanwhile. */
static void use_pending(chs_conn *conn) {
  chs_loop *loop = conn->loop;
  size_t length = conn->pending_length;
  if (length > 0) memcpy(loop->in, conn->pending, length);
  size_t used = consume(conn, loop->in, length);
  if (used > 0) keep_pending(conn, loop->in + used, length - used);
}

static bool has_work(const chs_conn *conn) { return conn->pending_length > 0 && !conn->starved && wants_bytes(conn); }

static bool shake_hands(chs_conn *conn) {
  int result = conn->transport->handshake(conn);
  if (result == CHS_IO_FAILED) conn->dead = true;
  if (result != 1) return false;
  conn->input = CHS_IN_HEAD;
  conn->began = true;
  return true;
}

static void step(chs_conn *conn) {
  for (int reads = 0; !conn->dead;) {
    if (conn->input == CHS_IN_HANDSHAKE && !shake_hands(conn)) return;
    if (has_work(conn)) use_pending(conn);
    chs_output_flush(conn);
    if (!conn->dead && conn->output == CHS_OUT_CLOSING && !conn->first) end(conn);
    if (conn->dead || !wants_bytes(conn)) return;
    if (has_work(conn) && !has_had_its_turn(conn)) continue;
    if (!conn->readable && !has_work(conn)) return;
    if (reads++ == CHS_READS_PER_TURN || has_had_its_turn(conn)) {
      chs_loop_requeue(conn->loop, conn);
      return;
    }
    read_some(conn);
  }
}

void chs_conn_run(chs_conn *conn) {
  chs_loop *loop = conn->loop;
  conn->turn_end = conn->requests + CHS_REQUESTS_PER_TURN;
  conn->turn_sent = 0;
  step(conn);
  loop->out_length = 0; /* whatever a dead connection left */
  if (conn->dead) {
    chs_conn_kill(conn);
    return;
  }
  if (conn->user && conn->owes_writable && conn->output_pending < loop->config->stream_high_water) {
    conn->owes_writable = false;
    loop->callbacks->on_writable(conn->user);
  }
  chs_conn_settle(conn);
}
