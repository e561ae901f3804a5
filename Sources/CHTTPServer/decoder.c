/* The stream of messages on one connection: finds heads, counts bodies, undoes chunking (RFC 9112 section 7.1). */
#include "grammar.h"

#include <string.h>

enum {
  AT_HEAD = 0,
  AT_LENGTH_BODY,
  CHUNK_SIZE,
  CHUNK_EXTENSION_SPACE, /* after a size or a value: only more space or ";" */
  CHUNK_EXTENSION_START, /* after ";" */
  CHUNK_EXTENSION_NAME,
  CHUNK_EXTENSION_EQUALS, /* after a name and space: "=" or ";" */
  CHUNK_VALUE_START,
  CHUNK_VALUE,
  CHUNK_QUOTED,
  CHUNK_ESCAPE,
  CHUNK_QUOTED_END,
  CHUNK_SIZE_LF,
  CHUNK_DATA,
  CHUNK_DATA_CR,
  CHUNK_DATA_LF,
  TRAILER_START,
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  TRAILER_END_LF,
  FAILED
};

static chs_event fail(chs_decoder *decoder, chs_error error, size_t consumed) {
  decoder->state = FAILED;
  return (chs_event){.kind = CHS_FAILED, .error = error, .consumed = consumed};
}

/* Where the search for the end of a head stopped. */
typedef struct head_search {
  size_t end; /* past the empty line; 0: not there yet */
  size_t bad; /* offset of a byte no head may hold; SIZE_MAX: none */
} head_search;

/* A bare CR or LF is such a byte (RFC 9112 2.2 allows to refuse both). */
static head_search find_head_end(const uint8_t *bytes, size_t from, size_t length) {
  for (size_t at = from; at < length; at++) {
    uint8_t byte = bytes[at];
    if (chs_is(byte, CHS_HEAD_BYTE)) continue;
    if (byte == '\n' && at > 0 && bytes[at - 1] == '\r') {
      if (at >= 3 && bytes[at - 2] == '\n') return (head_search){.end = at + 1, .bad = SIZE_MAX};
    } else if (byte != '\r' || (at + 1 < length && bytes[at + 1] != '\n')) {
      return (head_search){.bad = at};
    }
  }
  return (head_search){.bad = SIZE_MAX};
}

/* What the beginning of a head already shows. Judged for whole heads too, so that the answer to a head with several
 * faults does not depend on how it was cut into packets. */
static chs_error judge_beginning(const uint8_t *bytes, size_t length, const chs_parse_limits *limits) {
  const uint8_t *first = memchr(bytes, '\r', length);
  size_t line = first ? (size_t)(first - bytes) : length;
  const uint8_t *space = memchr(bytes, ' ', line);
  if ((space ? (size_t)(space - bytes) : line) > 32) return CHS_BAD_METHOD;
  if (space) {
    const uint8_t *target = space + 1;
    size_t rest = line - (size_t)(target - bytes);
    const uint8_t *end = memchr(target, ' ', rest);
    if ((end ? (size_t)(end - target) : rest) > limits->target_bytes) return CHS_TARGET_TOO_LONG;
  }
  return length > limits->head_bytes ? CHS_HEAD_TOO_LARGE : CHS_OK;
}

static chs_event decode_head(chs_decoder *decoder, const chs_parse_limits *limits, const uint8_t *bytes, size_t length,
                             chs_head *head) {
  size_t skip = 0;
  /* RFC 9112 2.2: one empty line before a request line is forgiven. */
  if (length > 0 && bytes[0] == '\r' && !decoder->skipped_line) {
    if (length == 1) return (chs_event){.kind = CHS_NEED_MORE};
    if (bytes[1] != '\n') return fail(decoder, CHS_BAD_BYTE, 0);
    decoder->skipped_line = true;
    skip = 2;
  }
  bytes += skip;
  length -= skip;
  if (length > 0 && !chs_is(bytes[0], CHS_TOKEN)) {
    bool text = chs_is(bytes[0], CHS_HEAD_BYTE) || bytes[0] == '\r';
    return fail(decoder, text ? CHS_BAD_METHOD : CHS_BAD_BYTE, skip);
  }
  size_t window = length <= limits->head_bytes ? length : (size_t)limits->head_bytes + 1;
  head_search search = find_head_end(bytes, decoder->scanned, window);
  size_t seen = search.end > 0 ? search.end : search.bad != SIZE_MAX ? search.bad : window;
  chs_error error = judge_beginning(bytes, seen, limits);
  if (error == CHS_OK && search.bad != SIZE_MAX) error = CHS_BAD_BYTE;
  if (error == CHS_OK && search.end > 0) error = chs_parse_head(bytes, search.end, limits, head);
  if (error != CHS_OK) return fail(decoder, error, skip);
  if (search.end == 0) {
    /* A CR at the very end has not been judged: it is looked at again with its successor. */
    decoder->scanned = (uint32_t)(window > 0 && bytes[window - 1] == '\r' ? window - 1 : window);
    return (chs_event){.kind = CHS_NEED_MORE, .consumed = skip};
  }
  *decoder = (chs_decoder){.state = AT_HEAD};
  if (head->chunked) {
    decoder->state = CHUNK_SIZE;
  } else if (head->content_length > 0) {
    decoder->state = AT_LENGTH_BODY;
    decoder->remaining = (uint64_t)head->content_length;
  }
  return (chs_event){.kind = CHS_HEAD, .consumed = skip + search.end, .at = skip, .length = search.end};
}

static chs_event decode_data(chs_decoder *decoder, size_t at, size_t length) {
  uint64_t room = length - at;
  uint64_t take = room < decoder->remaining ? room : decoder->remaining;
  decoder->remaining -= take;
  return (chs_event){.kind = CHS_DATA, .consumed = at + (size_t)take, .at = at, .length = (size_t)take};
}

static int next_extension_state(int state, uint8_t byte) {
  bool space = byte == ' ' || byte == '\t';
  bool token = chs_is(byte, CHS_TOKEN);
  switch (state) {
    case CHUNK_EXTENSION_SPACE:
      return space ? CHUNK_EXTENSION_SPACE : byte == ';' ? CHUNK_EXTENSION_START : FAILED;
    case CHUNK_EXTENSION_START:
      return space ? CHUNK_EXTENSION_START : token ? CHUNK_EXTENSION_NAME : FAILED;
    case CHUNK_EXTENSION_NAME:
      if (token) return CHUNK_EXTENSION_NAME;
      if (byte == '\r') return CHUNK_SIZE_LF;
      return space ? CHUNK_EXTENSION_EQUALS : byte == '=' ? CHUNK_VALUE_START : byte == ';' ? CHUNK_EXTENSION_START : FAILED;
    case CHUNK_EXTENSION_EQUALS:
      return space ? CHUNK_EXTENSION_EQUALS : byte == '=' ? CHUNK_VALUE_START : byte == ';' ? CHUNK_EXTENSION_START : FAILED;
    case CHUNK_VALUE_START:
      return space ? CHUNK_VALUE_START : byte == '"' ? CHUNK_QUOTED : token ? CHUNK_VALUE : FAILED;
    case CHUNK_VALUE:
      if (token) return CHUNK_VALUE;
      break;
    case CHUNK_QUOTED:
      if (byte == '"') return CHUNK_QUOTED_END;
      return byte == '\\' ? CHUNK_ESCAPE : chs_is(byte, CHS_VALUE) ? CHUNK_QUOTED : FAILED;
    case CHUNK_ESCAPE:
      return chs_is(byte, CHS_VALUE) ? CHUNK_QUOTED : FAILED;
    default:
      break;
  }
  /* After a value or a quoted string. */
  if (byte == '\r') return CHUNK_SIZE_LF;
  return space ? CHUNK_EXTENSION_SPACE : byte == ';' ? CHUNK_EXTENSION_START : FAILED;
}

/* The bytes of trailer fields are checked by their grammar and then forgotten: nothing of ours may depend on them. */
static int next_trailer_state(int state, uint8_t byte) {
  switch (state) {
    case TRAILER_START:
      return byte == '\r' ? TRAILER_END_LF : chs_is(byte, CHS_TOKEN) ? TRAILER_NAME : FAILED;
    case TRAILER_NAME:
      return byte == ':' ? TRAILER_VALUE : chs_is(byte, CHS_TOKEN) ? TRAILER_NAME : FAILED;
    case TRAILER_VALUE:
      return byte == '\r' ? TRAILER_LF : chs_is(byte, CHS_VALUE) ? TRAILER_VALUE : FAILED;
    default:
      return byte == '\n' ? TRAILER_START : FAILED;
  }
}

static chs_error take_size_byte(chs_decoder *decoder, uint8_t byte) {
  if (chs_is(byte, CHS_HEX)) {
    /* Fifteen digits stay below 2^63 whatever they are, and leading zeros stay bounded. */
    if (decoder->digits == 15) return CHS_BAD_CHUNK;
    decoder->digits++;
    decoder->remaining = decoder->remaining << 4 | chs_hex_value(byte);
    return CHS_OK;
  }
  if (decoder->digits == 0) return CHS_BAD_CHUNK;
  if (byte == '\r') {
    decoder->state = CHUNK_SIZE_LF;
  } else if (byte == ';') {
    decoder->state = CHUNK_EXTENSION_START;
  } else if (byte == ' ' || byte == '\t') {
    decoder->state = CHUNK_EXTENSION_SPACE;
  } else {
    return CHS_BAD_CHUNK;
  }
  return CHS_OK;
}

static chs_event decode_chunked(chs_decoder *decoder, const chs_parse_limits *limits, const uint8_t *bytes,
                                size_t length) {
  for (size_t at = 0; at < length; at++) {
    uint8_t byte = bytes[at];
    switch (decoder->state) {
      case CHUNK_SIZE: {
        chs_error error = take_size_byte(decoder, byte);
        if (error != CHS_OK) return fail(decoder, error, at);
        break;
      }
      case CHUNK_SIZE_LF:
        if (byte != '\n') return fail(decoder, CHS_BAD_CHUNK, at);
        decoder->digits = 0;
        decoder->state = decoder->remaining > 0 ? CHUNK_DATA : TRAILER_START;
        break;
      case CHUNK_DATA:
        if (decoder->remaining > 0) return decode_data(decoder, at, length);
        decoder->state = CHUNK_DATA_CR;
        at--;
        break;
      case CHUNK_DATA_CR:
        if (byte != '\r') return fail(decoder, CHS_BAD_CHUNK, at);
        decoder->state = CHUNK_DATA_LF;
        break;
      case CHUNK_DATA_LF:
        if (byte != '\n') return fail(decoder, CHS_BAD_CHUNK, at);
        decoder->state = CHUNK_SIZE;
        break;
      case TRAILER_END_LF:
        if (byte != '\n') return fail(decoder, CHS_BAD_CHUNK, at);
        *decoder = (chs_decoder){.state = AT_HEAD};
        return (chs_event){.kind = CHS_END, .consumed = at + 1};
      case TRAILER_START:
      case TRAILER_NAME:
      case TRAILER_VALUE:
      case TRAILER_LF:
        if (++decoder->trailer_bytes > limits->trailer_bytes + 1) return fail(decoder, CHS_TRAILERS_TOO_LARGE, at);
        decoder->state = (uint8_t)next_trailer_state(decoder->state, byte);
        if (decoder->state == FAILED) return fail(decoder, CHS_BAD_CHUNK, at);
        break;
      default:
        if (++decoder->extension_bytes > limits->extension_bytes) {
          return fail(decoder, CHS_CHUNK_EXTENSIONS_TOO_LARGE, at);
        }
        decoder->state = (uint8_t)next_extension_state(decoder->state, byte);
        if (decoder->state == FAILED) return fail(decoder, CHS_BAD_CHUNK, at);
        break;
    }
  }
  return (chs_event){.kind = CHS_NEED_MORE, .consumed = length};
}

chs_event chs_decode(chs_decoder *decoder, const chs_parse_limits *limits, const uint8_t *bytes, size_t length,
                     chs_head *head) {
  switch (decoder->state) {
    case AT_HEAD:
      return decode_head(decoder, limits, bytes, length, head);
    case AT_LENGTH_BODY:
      if (decoder->remaining == 0) {
        *decoder = (chs_decoder){.state = AT_HEAD};
        return (chs_event){.kind = CHS_END};
      }
      if (length == 0) return (chs_event){.kind = CHS_NEED_MORE};
      return decode_data(decoder, 0, length);
    case FAILED:
      return (chs_event){.kind = CHS_FAILED, .error = CHS_BAD_BYTE};
    default:
      return decode_chunked(decoder, limits, bytes, length);
  }
}
