/* What large bodies take, of all loops: in all, and of each holder. */
#include "internal.h"

#include <stdlib.h>

bool chs_bodies_init(chs_bodies *bodies, uint64_t most, uint64_t share) {
  bodies->most = most;
  bodies->share = share;
  return pthread_mutex_init(&bodies->lock, NULL) == 0;
}

void chs_bodies_free(chs_bodies *bodies) {
  pthread_mutex_destroy(&bodies->lock);
  free(bodies->holders);
}

/* What nobody in particular holds is bounded by the whole alone. Under the lock. */
static chs_holder *find(const chs_bodies *bodies, uint64_t id) {
  for (uint32_t index = 0; index < bodies->count && id != 0; index++) {
    if (bodies->holders[index].id == id) return &bodies->holders[index];
  }
  return NULL;
}

static chs_error judge(const chs_bodies *bodies, const chs_holder *holder, uint64_t id, uint64_t more) {
  uint64_t own = holder ? holder->bytes : 0;
  if (id != 0 && (own > bodies->share || more > bodies->share - own)) return CHS_BODY_SHARE_FULL;
  return bodies->held > bodies->most || more > bodies->most - bodies->held ? CHS_BODY_MEMORY_FULL : CHS_OK;
}

chs_error chs_bodies_room(chs_bodies *bodies, uint64_t id, uint64_t length) {
  pthread_mutex_lock(&bodies->lock);
  chs_error error = judge(bodies, find(bodies, id), id, length);
  pthread_mutex_unlock(&bodies->lock);
  return error;
}

static chs_holder *add(chs_bodies *bodies, uint64_t id) {
  if (bodies->count == bodies->capacity) {
    uint32_t capacity = bodies->capacity == 0 ? 16 : bodies->capacity * 2;
    chs_holder *grown = realloc(bodies->holders, capacity * sizeof *grown);
    if (!grown) return NULL;
    bodies->holders = grown;
    bodies->capacity = capacity;
  }
  bodies->holders[bodies->count] = (chs_holder){.id = id};
  return &bodies->holders[bodies->count++];
}

chs_error chs_bodies_take(chs_bodies *bodies, uint64_t id, uint64_t more) {
  pthread_mutex_lock(&bodies->lock);
  chs_holder *holder = find(bodies, id);
  chs_error error = judge(bodies, holder, id, more);
  if (error == CHS_OK && id != 0 && !holder) {
    holder = add(bodies, id);
    if (!holder) error = CHS_BODY_MEMORY_FULL;
  }
  if (error == CHS_OK) {
    bodies->held += more;
    if (holder) holder->bytes += more;
  }
  pthread_mutex_unlock(&bodies->lock);
  return error;
}

void chs_bodies_give(chs_bodies *bodies, chs_held held) {
  if (held.bytes == 0) return;
  pthread_mutex_lock(&bodies->lock);
  bodies->held -= held.bytes;
  chs_holder *holder = find(bodies, held.holder);
  if (holder) {
    holder->bytes -= held.bytes;
    if (holder->bytes == 0) *holder = bodies->holders[--bodies->count];
  }
  pthread_mutex_unlock(&bodies->lock);
}

uint64_t chs_bodies_bytes(chs_bodies *bodies) {
  pthread_mutex_lock(&bodies->lock);
  uint64_t held = bodies->held;
  pthread_mutex_unlock(&bodies->lock);
  return held;
}

void chs_bodies_bound(chs_bodies *bodies, uint64_t most, uint64_t share) {
  pthread_mutex_lock(&bodies->lock);
  bodies->most = most;
  bodies->share = share;
  pthread_mutex_unlock(&bodies->lock);
}
