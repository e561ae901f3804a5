/* Deadlines in a wheel of slots. A deadline that moves later costs nothing: the connection is looked at when its old
 * slot comes round and is put back. */
#include "internal.h"

static int64_t tick_of(int64_t time_ms) { return time_ms / CHS_WHEEL_TICK_MS; }

static void insert(chs_loop *loop, chs_conn *conn, int64_t due) {
  int64_t furthest = loop->wheel_tick + CHS_WHEEL_SLOTS - 1;
  if (due <= loop->wheel_tick) due = loop->wheel_tick + 1;
  if (due > furthest) due = furthest;
  size_t slot = (size_t)(due % CHS_WHEEL_SLOTS);
  conn->wheel_due = due;
  chs_link_append(&loop->wheel[slot], &conn->timer);
  loop->wheel_used[slot / 64] |= 1ULL << slot % 64;
}

void chs_wheel_set(chs_loop *loop, chs_conn *conn) {
  if (conn->deadline == CHS_NEVER) return;
  int64_t due = tick_of(conn->deadline) + 1;
  if (!chs_link_alone(&conn->timer)) {
    if (conn->wheel_due <= due) return;
    chs_link_remove(&conn->timer);
  }
  insert(loop, conn, due);
}

void chs_wheel_remove(chs_loop *loop, chs_conn *conn) {
  (void)loop;
  chs_link_remove(&conn->timer);
}

static chs_conn *conn_of(chs_link *link) { return (chs_conn *)(void *)((char *)link - offsetof(chs_conn, timer)); }

static void fire(chs_loop *loop, size_t slot) {
  if (!(loop->wheel_used[slot / 64] & 1ULL << slot % 64)) return;
  loop->wheel_used[slot / 64] &= ~(1ULL << slot % 64);
  chs_link due;
  chs_link_init(&due);
  chs_link *ring = &loop->wheel[slot];
  if (!chs_link_alone(ring)) {
    due = *ring;
    due.next->previous = due.previous->next = &due;
    chs_link_init(ring);
  }
  while (!chs_link_alone(&due)) {
    chs_conn *conn = conn_of(due.next);
    chs_link_remove(&conn->timer);
    if (conn->deadline <= loop->now) {
      chs_conn_expire(conn);
    } else if (conn->deadline != CHS_NEVER) {
      insert(loop, conn, tick_of(conn->deadline) + 1);
    }
  }
}

void chs_wheel_advance(chs_loop *loop) {
  int64_t now = tick_of(loop->now);
  if (now - loop->wheel_tick > CHS_WHEEL_SLOTS) loop->wheel_tick = now - CHS_WHEEL_SLOTS;
  while (loop->wheel_tick < now) {
    loop->wheel_tick++;
    fire(loop, (size_t)(loop->wheel_tick % CHS_WHEEL_SLOTS));
  }
}

int chs_wheel_wait(const chs_loop *loop) {
  for (int64_t ahead = 1; ahead < CHS_WHEEL_SLOTS; ahead++) {
    size_t slot = (size_t)((loop->wheel_tick + ahead) % CHS_WHEEL_SLOTS);
    if (slot % 64 == 0 && loop->wheel_used[slot / 64] == 0) {
      ahead += 63;
      continue;
    }
    if (loop->wheel_used[slot / 64] & 1ULL << slot % 64) {
      int64_t wait = (loop->wheel_tick + ahead) * CHS_WHEEL_TICK_MS - loop->now;
      return wait > 0 ? (int)wait : 0;
    }
  }
  return -1;
}
