/* The connection state machine under arbitrary bytes, answers, delays, failures and drains, without sockets. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OPEN = 64 };

typedef struct open_exchange {
  chs_exchange exchange;
  bool held; /* its user pointer is ours until on_done */
} open_exchange;

static struct {
  const uint8_t *script;
  size_t length, at;
  uint8_t incoming[256];
  size_t incoming_length;
  bool end_of_input, fail_reads, fail_writes;
  size_t write_room;
  uint64_t written;
  open_exchange open[MOST_OPEN];
  uint32_t open_count;
  uint64_t begun, done, released, borrowed;
  chs_loop *loop;
  bool closed;
} world;

static void demand(bool holds, const char *what) {
  if (holds) return;
  (void)fprintf(stderr, "broken: %s\n", what);
  abort();
}

static uint8_t next(void) { return world.at < world.length ? world.script[world.at++] : 0; }

/* ---- Transport ---- */

static ssize_t fake_read(chs_conn *conn, void *bytes, size_t length) {
  (void)conn;
  if (world.fail_reads) return CHS_IO_FAILED;
  if (world.incoming_length == 0) return world.end_of_input ? CHS_IO_EOF : CHS_IO_AGAIN;
  size_t count = world.incoming_length < length ? world.incoming_length : length;
  memcpy(bytes, world.incoming, count);
  memmove(world.incoming, world.incoming + count, world.incoming_length - count);
  world.incoming_length -= count;
  return (ssize_t)count;
}

static ssize_t fake_write(chs_conn *conn, const struct iovec *parts, int count) {
  (void)conn;
  if (world.fail_writes) return CHS_IO_FAILED;
  size_t sent = 0;
  static volatile uint8_t sink;
  for (int index = 0; index < count && world.write_room > 0; index++) {
    size_t take = parts[index].iov_len < world.write_room ? parts[index].iov_len : world.write_room;
    for (size_t at = 0; at < take; at += 64) sink = ((const uint8_t *)parts[index].iov_base)[at];
    if (take > 0) sink = ((const uint8_t *)parts[index].iov_base)[take - 1];
    world.write_room -= take;
    sent += take;
    if (take < parts[index].iov_len) break;
  }
  world.written += sent;
  return sent > 0 ? (ssize_t)sent : CHS_IO_AGAIN;
}

static int fake_handshake(chs_conn *conn) {
  (void)conn;
  return next() % 4 == 0 ? CHS_IO_AGAIN : 1;
}
static void fake_shut(chs_conn *conn) { (void)conn; }
static void fake_close(chs_conn *conn) {
  (void)conn;
  demand(!world.closed, "closed once");
  world.closed = true;
}

static const chs_transport fake = {.read = fake_read,
                                   .write = fake_write,
                                   .handshake = fake_handshake,
                                   .shut = fake_shut,
                                   .close = fake_close,
                                   .gather_below = 4096};

/* ---- Answers ---- */

static uint8_t large[80000];

static void release(void *owner) {
  (void)owner;
  world.released++;
}

static chs_response make_response(uint8_t choice) {
  static const uint16_t statuses[] = {200, 204, 304, 404};
  chs_response response = {.status = statuses[choice & 3], .declared_length = -1, .body = large};
  response.stream = (choice & 0x0c) == 0x0c;
  response.close = (choice & 0x10) != 0;
  response.body_length = (choice & 0x20) ? sizeof large : (size_t)(choice & 7);
  if (choice & 0x40) {
    response.release = release;
    world.borrowed++;
  }
  if (choice & 0x80) {
    response.fields = "X: y\r\n";
    response.fields_length = 6;
  }
  return response;
}

static void answer_later(uint8_t choice) {
  if (world.open_count == 0) return;
  chs_exchange exchange = world.open[choice % world.open_count].exchange;
  chs_conn *conn = chs_loop_find(world.loop, exchange);
  if (!conn) return;
  switch (choice % 5) {
    case 0:
    case 1: {
      chs_response response = make_response(next());
      chs_conn_respond(conn, &response);
      break;
    }
    case 2:
      chs_conn_stream_write(conn, large, (size_t)next() * 300);
      break;
    default:
      chs_conn_stream_end(conn, next() % 4 != 0);
      break;
  }
  chs_conn_run(conn);
}

/* ---- Callbacks ---- */

static chs_verdict on_head(void *context, const chs_request *request) {
  (void)context;
  demand(request->path_length > 0, "a path is never empty");
  uint8_t choice = next();
  return (chs_verdict){.body_limit = (uint64_t)(choice >> 1) * 16, .unread = choice & 1, .holder = choice % 3};
}

static void *on_request(void *context, chs_exchange exchange, const chs_request *request) {
  (void)context;
  static volatile uint8_t sink;
  demand(!request->unread || request->body_length == 0, "an unread body has no bytes");
  for (size_t at = 0; at < request->body_length; at++) sink = request->body[at];
  for (uint32_t at = 0; at < request->head->field_count; at++) sink = request->bytes[request->fields[at].name.at];
  (void)sink;
  uint8_t choice = next();
  demand(request->held.bytes == 0 || request->held.bytes == request->body_length, "a body counts as a whole or not at all");
  if ((choice & 3) == 0 || world.open_count == MOST_OPEN) {
    chs_conn *conn = chs_loop_find(world.loop, exchange);
    demand(conn != NULL, "a request can be answered while it is delivered");
    chs_response response = make_response(next() & (uint8_t)~0x0c);
    chs_conn_respond(conn, &response);
    if (choice & 4) return NULL;
  }
  world.begun++;
  chs_bodies_give(world.loop->bodies, request->held);
  open_exchange *open = &world.open[world.open_count < MOST_OPEN ? world.open_count++ : MOST_OPEN - 1];
  *open = (open_exchange){.exchange = exchange, .held = true};
  return &world;
}

static void on_refused(void *context, chs_exchange exchange, chs_error error, const char *peer) {
  (void)context;
  (void)peer;
  demand(error > CHS_OK && error < CHS_ERROR_COUNT, "a known error");
  chs_conn *conn = chs_loop_find(world.loop, exchange);
  demand(conn != NULL, "a refusal can be answered");
  chs_response response = {.status = (uint16_t)chs_error_status(error), .declared_length = -1, .body = large, .body_length = 9};
  chs_conn_respond(conn, &response);
}

static void on_writable(void *user) { demand(user == &world, "the user pointer comes back"); }

static void on_done(void *user, bool completed) {
  (void)completed;
  demand(user == &world, "the user pointer comes back");
  world.done++;
  demand(world.done <= world.begun, "done once for each begun");
}

static void on_stopped(void *context) { (void)context; }

/* ---- The script ---- */

static void step(chs_conn *conn, int64_t *now) {
  uint8_t action = next();
  switch (action % 10) {
    case 0:
    case 1:
    case 2:
    case 3: {
      size_t wanted = next();
      while (wanted-- > 0 && world.incoming_length < sizeof world.incoming && world.at < world.length) {
        world.incoming[world.incoming_length++] = next();
      }
      conn->readable = true;
      break;
    }
    case 4:
      world.write_room = (size_t)next() * 512;
      conn->writable = true;
      break;
    case 5:
      answer_later(next());
      return;
    case 6:
      *now += (int64_t)next() * 50;
      chs_loop_set_time(world.loop, *now, *now / 1000);
      chs_wheel_advance(world.loop);
      return;
    case 7:
      world.end_of_input = true;
      chs_conn_hang_up(conn, next() % 4 == 0);
      break;
    case 8:
      if (action & 0x80) world.fail_writes = true;
      if (action & 0x40) world.fail_reads = true;
      conn->readable = conn->writable = true;
      break;
    default:
      if (action & 0x80) {
        world.loop->draining = true;
        chs_conn_drain(conn);
      } else if (action & 0x40) {
        (void)chs_loop_evict(world.loop);
      }
      break;
  }
  if (!conn->dead) chs_conn_run(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  static const chs_config config = {
      .max_connections = 2,
      .max_requests_per_connection = 20,
      .header_timeout_ms = 1000,
      .body_timeout_ms = 1000,
      .idle_timeout_ms = 2000,
      .write_timeout_ms = 1000,
      .linger_timeout_ms = 500,
      .min_rate = 1000,
      .stream_high_water = 4096,
      .small_body = 64,
      .body_memory = 700,
      .body_share = 400,
      .parse = {.target_bytes = 256, .head_bytes = 1024, .fields = 16, .extension_bytes = 64, .trailer_bytes = 128}};
  static const chs_callbacks callbacks = {.on_head = on_head,
                                          .on_request = on_request,
                                          .on_refused = on_refused,
                                          .on_writable = on_writable,
                                          .on_done = on_done,
                                          .on_stopped = on_stopped};
  memset(&world, 0, sizeof world);
  world.script = input;
  world.length = size;
  world.write_room = 1 << 20;
  chs_loop *loop = calloc(1, sizeof *loop);
  if (!loop || !chs_loop_init(loop, NULL, &config, &callbacks, 0)) abort();
  world.loop = loop;
  int64_t now = 1000000;
  chs_loop_set_time(loop, now, now / 1000);
  loop->wheel_tick = now / CHS_WHEEL_TICK_MS;
  chs_conn *conn = chs_loop_add(loop, &fake, -1);
  if (!conn) abort();
  conn->input = (next() & 1) ? CHS_IN_HANDSHAKE : CHS_IN_HEAD;
  chs_conn_run(conn);
  while (!conn->dead && world.at < world.length) {
    step(conn, &now);
    demand(loop->out_length == 0, "nothing stays in the loop's buffer between turns");
    demand(chs_bodies_bytes(loop->bodies) <= config.body_memory, "bodies take no more memory than they may");
    while (loop->requeued && !conn->dead) {
      loop->requeued = NULL;
      conn->queued = false;
      chs_conn_run(conn);
    }
  }
  /* Whatever it waits for, time ends it: every phase has a deadline, except a handler at work. */
  for (int turn = 0; turn < 200 && !conn->dead && conn->deadline != CHS_NEVER; turn++) {
    now = conn->deadline + 2 * CHS_WHEEL_TICK_MS;
    chs_loop_set_time(loop, now, now / 1000);
    chs_wheel_advance(loop);
  }
  demand(conn->dead || conn->deadline == CHS_NEVER, "a silent client is closed in the end");
  chs_conn_kill(conn);
  demand(chs_bodies_bytes(loop->bodies) == 0 && loop->bodies->count == 0, "what bodies took is given back");
  chs_loop_free(loop);
  free(loop);
  demand(world.closed, "the transport is closed");
  demand(world.done == world.begun, "every exchange ends");
  demand(world.released == world.borrowed, "every borrowed body is given back");
  return 0;
}
