/* Paths: decoded once, dot segments removed once, before anybody looks at them. */
#include "grammar.h"

#include <string.h>

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf8(const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (at < length) {
    uint8_t lead = bytes[at];
    if (lead < 0x80) {
      at++;
      continue;
    }
    size_t tail = lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
    if (tail == 0 || length - at <= tail) return false;
    for (size_t index = 1; index <= tail; index++) {
      if ((bytes[at + index] & 0xc0) != 0x80) return false;
    }
    uint8_t second = bytes[at + 1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    at += tail + 1;
  }
  return true;
}

/* Decodes into out; -1 for controls. */
static ptrdiff_t decode(const uint8_t *path, size_t length, uint8_t *out) {
  size_t put = 0;
  for (size_t at = 0; at < length; at++) {
    uint8_t byte = path[at];
    if (byte == '%') {
      if (length - at < 3 || !chs_is(path[at + 1], CHS_HEX) || !chs_is(path[at + 2], CHS_HEX)) return -1;
      byte = (uint8_t)(chs_hex_value(path[at + 1]) << 4 | chs_hex_value(path[at + 2]));
      at += 2;
      if (byte == '/' || byte == '%') {
        memcpy(out + put, byte == '/' ? "%2F" : "%25", 3);
        put += 3;
        continue;
      }
    }
    if (byte < 0x20 || byte == 0x7f) return -1;
    out[put++] = byte;
  }
  return (ptrdiff_t)put;
}

/* In place, by whole segments; -1 when ".." leads above the root. */
static ptrdiff_t remove_dot_segments(char *path, size_t length) {
  size_t put = 0, at = 0;
  while (at < length) {
    size_t end = at + 1;
    while (end < length && path[end] != '/') end++;
    size_t size = end - at - 1;
    bool dot = size == 1 && path[at + 1] == '.';
    bool dots = size == 2 && path[at + 1] == '.' && path[at + 2] == '.';
    if (dots) {
      if (put == 0) return -1;
      while (path[--put] != '/') {
      }
    }
    if (dot || dots) {
      /* A last "." or ".." leaves the slash of the directory it names. */
      if (end == length) path[put++] = '/';
    } else {
      memmove(path + put, path + at, end - at);
      put += end - at;
    }
    at = end;
  }
  return (ptrdiff_t)put;
}

ptrdiff_t chs_normalize_path(const uint8_t *path, size_t length, char *out) {
  if (length == 0) {
    out[0] = '/';
    return 1;
  }
  if (length == 1 && path[0] == '*') {
    out[0] = '*';
    return 1;
  }
  if (path[0] != '/') return -1;
  ptrdiff_t decoded = decode(path, length, (uint8_t *)out);
  if (decoded < 0 || !is_utf8((const uint8_t *)out, (size_t)decoded)) return -1;
  return remove_dot_segments(out, (size_t)decoded);
}
