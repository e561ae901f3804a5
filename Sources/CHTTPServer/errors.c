/* What each refusal is called. */
#include "chttpserver.h"

typedef struct entry {
  int status;
  const char *code;
  const char *sentence;
} entry;

static const entry entries[CHS_ERROR_COUNT] = {
    [CHS_OK] = {200, "ok", "The request is well formed."},
    [CHS_BAD_BYTE] = {400, "bad_byte", "The request head holds a byte that HTTP/1.1 does not allow there."},
    [CHS_BAD_REQUEST_LINE] = {400, "bad_request_line", "The request line must be method, target and version, with single spaces."},
    [CHS_BAD_METHOD] = {400, "bad_method", "The method must be a token of at most 32 characters."},
    [CHS_BAD_TARGET] = {400, "bad_target", "The request target is not a valid path, query or absolute URI."},
    [CHS_BAD_VERSION] = {400, "bad_version", "The request line must end in HTTP/1.0 or HTTP/1.1."},
    [CHS_VERSION_UNSUPPORTED] = {505, "version_unsupported", "This server speaks HTTP/1.1 and HTTP/1.0."},
    [CHS_BAD_FIELD_NAME] = {400, "bad_field_name", "A header field name must be a token directly followed by a colon."},
    [CHS_BAD_FIELD_VALUE] = {400, "bad_field_value", "A header field value holds a byte that is not allowed."},
    [CHS_FOLDED_FIELD] = {400, "folded_field", "Header fields must not be folded over several lines."},
    [CHS_BAD_HOST] = {400, "bad_host", "Exactly one valid Host field is required."},
    [CHS_BAD_CONTENT_LENGTH] = {400, "bad_content_length", "Content-Length must stand at most once and be a decimal number."},
    [CHS_BAD_TRANSFER_ENCODING] = {400, "bad_transfer_encoding", "Transfer-Encoding must be chunked, once and alone."},
    [CHS_TRANSFER_ENCODING_UNSUPPORTED] = {501, "transfer_encoding_unsupported", "The only transfer coding understood here is chunked."},
    [CHS_AMBIGUOUS_FRAMING] = {400, "ambiguous_framing", "Transfer-Encoding must not stand with Content-Length or in HTTP/1.0."},
    [CHS_BAD_CONNECTION] = {400, "bad_connection", "The Connection field must be a list of tokens."},
    [CHS_EXPECTATION_FAILED] = {417, "expectation_failed", "The only expectation understood here is 100-continue."},
    [CHS_CONNECT_UNSUPPORTED] = {501, "connect_unsupported", "This server is not a proxy and does not know CONNECT."},
    [CHS_TARGET_TOO_LONG] = {414, "target_too_long", "The request target is longer than this server allows."},
    [CHS_HEAD_TOO_LARGE] = {431, "head_too_large", "The request head is larger than this server allows."},
    [CHS_TOO_MANY_FIELDS] = {431, "too_many_fields", "The request has more header fields than this server allows."},
    [CHS_BAD_CHUNK] = {400, "bad_chunk", "The chunked body breaks the rules of chunked coding."},
    [CHS_CHUNK_EXTENSIONS_TOO_LARGE] = {400, "chunk_extensions_too_large", "The chunk extensions are larger than this server allows."},
    [CHS_TRAILERS_TOO_LARGE] = {431, "trailers_too_large", "The trailer fields are larger than this server allows."},
    [CHS_BODY_TOO_LARGE] = {413, "body_too_large", "The request body is larger than allowed here."},
    [CHS_REQUEST_TIMEOUT] = {408, "request_timeout", "The request did not arrive in time."},
    [CHS_BODY_MEMORY_FULL] = {503, "body_memory_full", "As many bytes of large request bodies are held as may be; try again shortly."},
    [CHS_BODY_SHARE_FULL] = {429, "body_share_full", "Of large request bodies the caller has as many bytes on their way as one may have; let one of them end first."},
};

static const entry *find(chs_error error) {
  return &entries[error > CHS_OK && error < CHS_ERROR_COUNT ? error : CHS_BAD_BYTE];
}

int chs_error_status(chs_error error) { return find(error)->status; }
const char *chs_error_code(chs_error error) { return find(error)->code; }
const char *chs_error_sentence(chs_error error) { return find(error)->sentence; }
