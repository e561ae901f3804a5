/* How many connections each address holds, over all loops. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

bool chs_addresses_init(chs_address_table *table, uint32_t max_connections) {
  uint32_t size = 64;
  while (size < 2 * (uint64_t)max_connections && size < 1U << 30) size *= 2;
  table->mask = size - 1;
  table->entries = calloc(size, sizeof *table->entries);
  return table->entries && pthread_mutex_init(&table->lock, NULL) == 0;
}

void chs_addresses_free(chs_address_table *table) {
  if (!table->entries) return;
  free(table->entries);
  pthread_mutex_destroy(&table->lock);
}

static uint32_t home(const chs_address_table *table, const chs_address_key *key) {
  uint64_t high, low;
  memcpy(&high, key->bytes, 8);
  memcpy(&low, key->bytes + 8, 8);
  uint64_t hash = (high ^ low * 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
  return (uint32_t)(hash >> 32) & table->mask;
}

/* The key's entry, or the free one where it would go. */
static uint32_t find(const chs_address_table *table, const chs_address_key *key) {
  uint32_t at = home(table, key);
  while (table->entries[at].count > 0 && memcmp(&table->entries[at].key, key, sizeof *key) != 0) {
    at = (at + 1) & table->mask;
  }
  return at;
}

bool chs_addresses_enter(chs_address_table *table, const chs_address_key *key, uint32_t limit) {
  pthread_mutex_lock(&table->lock);
  uint32_t at = find(table, key);
  bool entered = table->entries[at].count < limit;
  if (entered) {
    table->entries[at].key = *key;
    table->entries[at].count++;
  }
  pthread_mutex_unlock(&table->lock);
  return entered;
}

/* Moves later entries of the run into the gap, so that no search stops short. */
static void close_gap(chs_address_table *table, uint32_t gap) {
  for (uint32_t at = (gap + 1) & table->mask; table->entries[at].count > 0; at = (at + 1) & table->mask) {
    uint32_t wanted = home(table, &table->entries[at].key);
    if (((at - wanted) & table->mask) >= ((at - gap) & table->mask)) {
      table->entries[gap] = table->entries[at];
      table->entries[at].count = 0;
      gap = at;
    }
  }
}

void chs_addresses_leave(chs_address_table *table, const chs_address_key *key) {
  pthread_mutex_lock(&table->lock);
  uint32_t at = find(table, key);
  if (table->entries[at].count > 0 && --table->entries[at].count == 0) close_gap(table, at);
  pthread_mutex_unlock(&table->lock);
}
