/* Request heads: RFC 9112 sections 2 to 6 with the grammar of RFC 9110 section 5, refusing what they allow to refuse. */
#include "grammar.h"

#include <string.h>
#include <strings.h>

#define RETURN_IF_ERROR(expression)      \
  do {                                   \
    chs_error error_ = (expression);     \
    if (error_ != CHS_OK) return error_; \
  } while (0)

static chs_span span(size_t at, size_t end) {
  return (chs_span){.at = (uint32_t)at, .length = (uint32_t)(end - at)};
}

static bool equals(const uint8_t *bytes, chs_span part, const char *lower) {
  return strlen(lower) == part.length && strncasecmp((const char *)bytes + part.at, lower, part.length) == 0;
}

/* RFC 3986 3.2.2 and 3.2.3: IP-literal or reg-name, then an optional port; no userinfo (RFC 9110 4.2.4). */
static bool is_authority(const uint8_t *bytes, chs_span part) {
  size_t at = part.at, end = part.at + part.length;
  if (at < end && bytes[at] == '[') {
    at++;
    size_t start = at;
    while (at < end && (chs_is(bytes[at], CHS_HEX) || bytes[at] == ':' || bytes[at] == '.')) at++;
    if (at == start || at == end || bytes[at] != ']') return false;
    at++;
  } else {
    while (at < end && bytes[at] != ':') {
      if (bytes[at] == '%') {
        if (end - at < 3 || !chs_is(bytes[at + 1], CHS_HEX) || !chs_is(bytes[at + 2], CHS_HEX)) return false;
        at += 3;
      } else if (chs_is(bytes[at], CHS_REG_NAME)) {
        at++;
      } else {
        return false;
      }
    }
  }
  if (at == end) return true;
  if (bytes[at] != ':') return false;
  size_t digits = 0;
  uint32_t port = 0;
  for (at++; at < end; at++, digits++) {
    if (bytes[at] < '0' || bytes[at] > '9' || digits == 5) return false;
    port = port * 10 + (uint32_t)(bytes[at] - '0');
  }
  return port <= 65535;
}

/* Path and query of RFC 3986 3.3 and 3.4, in [at, end). */
static chs_error parse_path_and_query(const uint8_t *bytes, size_t at, size_t end, chs_head *head) {
  size_t start = at;
  bool query = false;
  for (; at < end; at++) {
    uint8_t byte = bytes[at];
    if (chs_is(byte, CHS_PCHAR) || byte == '/') continue;
    if (byte == '%') {
      if (end - at < 3 || !chs_is(bytes[at + 1], CHS_HEX) || !chs_is(bytes[at + 2], CHS_HEX)) return CHS_BAD_TARGET;
      at += 2;
    } else if (byte == '?') {
      if (!query) {
        query = true;
        head->path = span(start, at);
        start = at + 1;
      }
    } else {
      return CHS_BAD_TARGET;
    }
  }
  if (query) {
    head->query = span(start, end);
  } else {
    head->path = span(start, end);
    head->query = span(end, end);
  }
  return CHS_OK;
}

/* RFC 9112 3.2: origin-form, absolute-form, asterisk-form; authority-form belongs to CONNECT. */
static chs_error parse_target(const uint8_t *bytes, chs_span target, chs_head *head, bool *absolute) {
  size_t at = target.at, end = target.at + target.length;
  bool options = head->method.length == 7 && memcmp(bytes + head->method.at, "OPTIONS", 7) == 0;
  *absolute = false;
  if (bytes[at] == '/') return parse_path_and_query(bytes, at, end, head);
  if (bytes[at] == '*') {
    if (target.length != 1 || !options) return CHS_BAD_TARGET;
    head->path = target;
    head->query = span(end, end);
    return CHS_OK;
  }
  if (target.length > 7 && strncasecmp((const char *)bytes + at, "http://", 7) == 0) {
    at += 7;
  } else if (target.length > 8 && strncasecmp((const char *)bytes + at, "https://", 8) == 0) {
    at += 8;
  } else {
    return CHS_BAD_TARGET;
  }
  size_t start = at;
  while (at < end && bytes[at] != '/' && bytes[at] != '?') at++;
  head->host = span(start, at);
  if (start == at || bytes[start] == ':' || !is_authority(bytes, head->host)) return CHS_BAD_TARGET;
  *absolute = true;
  return parse_path_and_query(bytes, at, end, head);
}

/* RFC 9112 2.3: HTTP-name is case-sensitive, one digit on each side of the dot. */
static chs_error parse_version(const uint8_t *bytes, size_t length, chs_head *head) {
  if (length != 8 || memcmp(bytes, "HTTP/", 5) != 0 || bytes[6] != '.') return CHS_BAD_VERSION;
  if (bytes[5] < '0' || bytes[5] > '9' || bytes[7] < '0' || bytes[7] > '9') return CHS_BAD_VERSION;
  if (bytes[5] != '1') return CHS_VERSION_UNSUPPORTED;
  head->minor_version = bytes[7] == '0' ? 0 : 1;
  return CHS_OK;
}

/* RFC 9112 3: single spaces only; lenient whitespace is where smuggling begins. `end` is the CR's offset. */
static chs_error parse_request_line(const uint8_t *bytes, size_t end, const chs_parse_limits *limits, chs_head *head,
                                    bool *absolute) {
  size_t at = 0;
  while (at < end && chs_is(bytes[at], CHS_TOKEN)) at++;
  if (at == 0 || at == end || bytes[at] != ' ') return at == end ? CHS_BAD_REQUEST_LINE : CHS_BAD_METHOD;
  if (at > 32) return CHS_BAD_METHOD;
  head->method = span(0, at);
  size_t start = ++at;
  while (at < end && bytes[at] != ' ') at++;
  if (at - start > limits->target_bytes) return CHS_TARGET_TOO_LONG;
  if (at == end || at == start) return CHS_BAD_REQUEST_LINE;
  chs_span target = span(start, at);
  RETURN_IF_ERROR(parse_version(bytes + at + 1, end - at - 1, head));
  if (head->method.length == 7 && memcmp(bytes, "CONNECT", 7) == 0) return CHS_CONNECT_UNSUPPORTED;
  return parse_target(bytes, target, head, absolute);
}

/* RFC 9110 8.6; no list and no second field, though equal values would be allowed. */
static chs_error parse_content_length(const uint8_t *bytes, chs_span value, chs_head *head) {
  if (head->content_length >= 0 || value.length == 0) return CHS_BAD_CONTENT_LENGTH;
  int64_t length = 0;
  for (size_t at = value.at; at < value.at + value.length; at++) {
    if (bytes[at] < '0' || bytes[at] > '9') return CHS_BAD_CONTENT_LENGTH;
    int64_t digit = bytes[at] - '0';
    if (length > (INT64_MAX - digit) / 10) return CHS_BAD_CONTENT_LENGTH;
    length = length * 10 + digit;
  }
  head->content_length = length;
  return CHS_OK;
}

/* RFC 9112 6.1: chunked alone; a coding we do not know is 501. */
static chs_error parse_transfer_encoding(const uint8_t *bytes, chs_span value, chs_head *head) {
  if (head->chunked || value.length == 0) return CHS_BAD_TRANSFER_ENCODING;
  if (!equals(bytes, value, "chunked")) {
    for (size_t at = value.at; at < value.at + value.length; at++) {
      if (!chs_is(bytes[at], CHS_TOKEN)) {
        /* A list that names chunked anywhere is an attempt to confuse; one without it is merely unsupported. */
        for (size_t from = value.at; from + 7 <= value.at + value.length; from++) {
          if (strncasecmp((const char *)bytes + from, "chunked", 7) == 0) return CHS_BAD_TRANSFER_ENCODING;
        }
        break;
      }
    }
    return CHS_TRANSFER_ENCODING_UNSUPPORTED;
  }
  head->chunked = true;
  return CHS_OK;
}

/* RFC 9110 7.6.1: a list of tokens. */
static chs_error parse_connection(const uint8_t *bytes, chs_span value, bool *close, bool *keep_alive) {
  size_t at = value.at, end = value.at + value.length;
  while (at < end) {
    size_t start = at;
    while (at < end && chs_is(bytes[at], CHS_TOKEN)) at++;
    chs_span option = span(start, at);
    if (equals(bytes, option, "close")) *close = true;
    if (equals(bytes, option, "keep-alive")) *keep_alive = true;
    while (at < end && (bytes[at] == ' ' || bytes[at] == '\t')) at++;
    if (at == end) break;
    if (bytes[at] != ',') return CHS_BAD_CONNECTION;
    at++;
    while (at < end && (bytes[at] == ' ' || bytes[at] == '\t')) at++;
  }
  return CHS_OK;
}

typedef struct framing {
  uint32_t hosts;
  bool absolute, close, keep_alive, transfer_encoding;
} framing;

static chs_error note_field(const uint8_t *bytes, chs_field field, chs_head *head, framing *seen) {
  switch (field.name.length) {
    case 4:
      if (equals(bytes, field.name, "host")) {
        if (++seen->hosts > 1 || !is_authority(bytes, field.value)) return CHS_BAD_HOST;
        if (!seen->absolute) head->host = field.value;
      }
      return CHS_OK;
    case 6:
      if (equals(bytes, field.name, "expect") && head->minor_version > 0) {
        if (!equals(bytes, field.value, "100-continue")) return CHS_EXPECTATION_FAILED;
        head->expect_continue = true;
      }
      return CHS_OK;
    case 10:
      if (equals(bytes, field.name, "connection")) {
        return parse_connection(bytes, field.value, &seen->close, &seen->keep_alive);
      }
      return CHS_OK;
    case 14:
      return equals(bytes, field.name, "content-length") ? parse_content_length(bytes, field.value, head) : CHS_OK;
    case 17:
      if (equals(bytes, field.name, "transfer-encoding")) {
        seen->transfer_encoding = true;
        return parse_transfer_encoding(bytes, field.value, head);
      }
      return CHS_OK;
    default:
      return CHS_OK;
  }
}

static chs_error parse_field(const uint8_t *bytes, size_t at, size_t end, chs_field *field) {
  if (bytes[at] == ' ' || bytes[at] == '\t') return CHS_FOLDED_FIELD;
  size_t start = at;
  while (at < end && chs_is(bytes[at], CHS_TOKEN)) at++;
  if (at == start || at == end || bytes[at] != ':') return CHS_BAD_FIELD_NAME;
  field->name = span(start, at);
  at++;
  while (at < end && (bytes[at] == ' ' || bytes[at] == '\t')) at++;
  while (end > at && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t')) end--;
  for (size_t index = at; index < end; index++) {
    if (!chs_is(bytes[index], CHS_VALUE)) return CHS_BAD_FIELD_VALUE;
  }
  field->value = span(at, end);
  return CHS_OK;
}

/* RFC 9112 6.3 for requests, and the smuggling rules of 6.1 and 11.2. */
static chs_error settle_framing(chs_head *head, const framing *seen) {
  if (seen->transfer_encoding && head->content_length >= 0) return CHS_AMBIGUOUS_FRAMING;
  if (seen->transfer_encoding && head->minor_version == 0) return CHS_AMBIGUOUS_FRAMING;
  if (head->minor_version > 0 && seen->hosts == 0) return CHS_BAD_HOST;
  head->keep_alive = !seen->close && (head->minor_version > 0 || seen->keep_alive);
  return CHS_OK;
}

static size_t line_end(const uint8_t *bytes, size_t at, size_t length) {
  const uint8_t *found = memchr(bytes + at, '\r', length - at);
  return found ? (size_t)(found - bytes) : length;
}

chs_error chs_parse_head(const uint8_t *bytes, size_t length, const chs_parse_limits *limits, chs_head *head) {
  framing seen = {0};
  head->field_count = 0;
  head->content_length = -1;
  head->chunked = head->expect_continue = head->keep_alive = false;
  head->host = (chs_span){0};
  if (length > limits->head_bytes) return CHS_HEAD_TOO_LARGE;
  if (length < 4 || memcmp(bytes + length - 4, "\r\n\r\n", 4) != 0) return CHS_BAD_REQUEST_LINE;

  size_t end = line_end(bytes, 0, length);
  RETURN_IF_ERROR(parse_request_line(bytes, end, limits, head, &seen.absolute));
  uint32_t most = limits->fields < CHS_MAX_FIELDS ? limits->fields : CHS_MAX_FIELDS;
  for (size_t at = end + 2; at < length - 2; at = end + 2) {
    end = line_end(bytes, at, length);
    if (head->field_count == most) return CHS_TOO_MANY_FIELDS;
    chs_field *field = &head->fields[head->field_count++];
    RETURN_IF_ERROR(parse_field(bytes, at, end, field));
    RETURN_IF_ERROR(note_field(bytes, *field, head, &seen));
  }
  return settle_framing(head, &seen);
}
