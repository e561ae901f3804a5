/* The decoder on arbitrary bytes: in bounds, and the same events however the bytes are cut. */
#include "chttpserver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const chs_parse_limits limits = {
    .target_bytes = 256, .head_bytes = 1024, .fields = 16, .extension_bytes = 64, .trailer_bytes = 128};

typedef struct summary {
  uint64_t hash;
  uint64_t data;
  chs_error error;
} summary;

static void mix(summary *log, uint64_t value) { log->hash = (log->hash ^ value) * 0x100000001B3ULL; }

static void demand(bool holds, const char *what) {
  if (holds) return;
  (void)fprintf(stderr, "broken: %s\n", what);
  abort();
}

static void mix_span(summary *log, const uint8_t *bytes, size_t length, chs_span part) {
  demand((size_t)part.at + part.length <= length, "span within the head");
  for (uint32_t at = 0; at < part.length; at++) mix(log, bytes[part.at + at]);
  mix(log, part.length);
}

static void note_head(summary *log, const uint8_t *bytes, size_t length, const chs_head *head) {
  mix_span(log, bytes, length, head->method);
  mix_span(log, bytes, length, head->path);
  mix_span(log, bytes, length, head->query);
  mix_span(log, bytes, length, head->host);
  for (uint32_t index = 0; index < head->field_count; index++) {
    mix_span(log, bytes, length, head->fields[index].name);
    mix_span(log, bytes, length, head->fields[index].value);
  }
  mix(log, (uint64_t)head->content_length);
  mix(log, (uint64_t)head->chunked * 4 + (uint64_t)head->keep_alive * 2 + (uint64_t)head->expect_continue);
  demand(!head->chunked || head->content_length < 0, "one framing only");
  char path[1024];
  ptrdiff_t size = chs_normalize_path(bytes + head->path.at, head->path.length, path);
  demand(size <= (ptrdiff_t)(head->path.length > 0 ? head->path.length : 1), "a path never grows");
  for (ptrdiff_t at = 0; at < size; at++) {
    demand((uint8_t)path[at] >= 0x20 && path[at] != 0x7f, "no controls in a path");
    mix(log, (uint8_t)path[at]);
  }
  /* No dot segment survives. */
  for (ptrdiff_t at = 0; at + 1 < size; at++) {
    if (path[at] != '/' || path[at + 1] != '.') continue;
    bool dots = at + 2 < size && path[at + 2] == '.';
    ptrdiff_t end = at + 2 + dots;
    demand(end < size && path[end] != '/', "dot segments are removed");
  }
}

/* Feeds pieces of at most `step` bytes, keeping what is not consumed, as a connection does. */
static summary run(const uint8_t *input, size_t size, size_t step) {
  summary log = {.hash = 0xCBF29CE484222325ULL};
  chs_decoder decoder = {0};
  static chs_head head;
  size_t start = 0;
  for (size_t shown = 0; shown < size || shown == 0;) {
    shown = size - shown < step ? size : shown + step;
    for (;;) {
      /* A copy of its own, so that the sanitizer sees every byte read too far. */
      size_t length = shown - start;
      uint8_t *bytes = malloc(length > 0 ? length : 1);
      if (!bytes) abort();
      memcpy(bytes, input + start, length);
      chs_event event = chs_decode(&decoder, &limits, bytes, length, &head);
      demand(event.consumed <= length, "consumes what it was shown");
      if (event.kind == CHS_HEAD) note_head(&log, bytes + event.at, event.length, &head);
      if (event.kind == CHS_DATA) {
        demand(event.length > 0 && event.at + event.length <= event.consumed, "data within what was consumed");
        log.data += event.length;
      }
      if (event.kind == CHS_END || event.kind == CHS_HEAD) mix(&log, event.kind);
      start += event.consumed;
      free(bytes);
      if (event.kind == CHS_FAILED) {
        log.error = event.error;
        mix(&log, event.error);
        return log;
      }
      if (event.kind == CHS_NEED_MORE) break;
    }
    if (size == 0) break;
  }
  return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  if (size > 8192) return 0;
  summary whole = run(input, size, size > 0 ? size : 1);
  for (size_t step = 1; step <= 7; step += 3) {
    summary cut = run(input, size, step);
    demand(cut.hash == whole.hash && cut.data == whole.data && cut.error == whole.error, "cutting changes nothing");
  }
  return 0;
}
