/* Until when a connection has to have done what it is at, and its place among those that wait for bytes. */
#include "internal.h"

static bool waits(const chs_conn *conn) {
  return conn->input == CHS_IN_HANDSHAKE || conn->input == CHS_IN_HEAD || conn->input == CHS_IN_BODY;
}

static chs_phase phase_of(const chs_conn *conn) {
  if (conn->input == CHS_IN_LINGER) return CHS_PHASE_LINGER;
  if (conn->first) return CHS_PHASE_WRITE;
  switch ((chs_input)conn->input) {
    case CHS_IN_HANDSHAKE:
      return CHS_PHASE_HEAD;
    case CHS_IN_HEAD:
      return conn->pending_length == 0 && conn->requests > 0 ? CHS_PHASE_IDLE : CHS_PHASE_HEAD;
    case CHS_IN_BODY:
      return CHS_PHASE_BODY;
    default:
      return CHS_PHASE_NONE;
  }
}

static int64_t allowance(const chs_conn *conn, uint32_t timeout_ms) {
  return conn->phase_start + timeout_ms + (int64_t)(conn->phase_bytes / conn->loop->config->min_rate) * 1000;
}

/* What came quickly is no leave to hold for hours what has come: a body is never in advance by more than its timeout twice. */
static int64_t body_deadline(chs_conn *conn) {
  uint32_t timeout = conn->loop->config->body_timeout_ms;
  int64_t deadline = allowance(conn, timeout), most = conn->loop->now + 2 * (int64_t)timeout;
  if (deadline <= most) return deadline;
  conn->phase_start -= deadline - most;
  return most;
}

static int64_t deadline_of(chs_conn *conn) {
  const chs_config *config = conn->loop->config;
  switch ((chs_phase)conn->phase) {
    case CHS_PHASE_HEAD:
      return conn->phase_start + config->header_timeout_ms;
    case CHS_PHASE_IDLE:
      return conn->phase_start + config->idle_timeout_ms;
    case CHS_PHASE_BODY:
      return body_deadline(conn);
    case CHS_PHASE_WRITE:
      return allowance(conn, config->write_timeout_ms);
    case CHS_PHASE_LINGER:
      return conn->phase_start + config->linger_timeout_ms;
    default:
      return CHS_NEVER;
  }
}

void chs_conn_settle(chs_conn *conn) {
  chs_loop *loop = conn->loop;
  chs_phase phase = phase_of(conn);
  /* Every request starts its phases anew, even when the last one ended in the same phase. */
  if (phase != (chs_phase)conn->phase || conn->began) {
    conn->phase = (uint8_t)phase;
    conn->phase_start = loop->now;
    conn->phase_bytes = 0;
  }
  conn->deadline = deadline_of(conn);
  chs_wheel_set(loop, conn);
  /* The place in line is that of the moment the wait began: sending a byte now and then does not help to keep it. */
  if (!waits(conn)) {
    chs_link_remove(&conn->waiting);
  } else if (chs_link_alone(&conn->waiting) || conn->began) {
    chs_link_remove(&conn->waiting);
    chs_link_append(&loop->waiting, &conn->waiting);
  }
  conn->began = false;
}
