/* Response heads: the server alone decides framing and the fate of the connection (RFC 9112 sections 6 and 9). */
#include "internal.h"

#include <string.h>

const char *chs_status_reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

static char *put(char *at, const char *text, size_t length) {
  memcpy(at, text, length);
  return at + length;
}

static char *put_text(char *at, const char *text) { return put(at, text, strlen(text)); }

static char *put_number(char *at, uint64_t number) {
  char digits[20];
  size_t count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

size_t chs_write_head(char *out, size_t room, const chs_conn *conn, const chs_response *response, bool close) {
  if (room < response->fields_length + 256) return 0;
  char *at = put_text(out, "HTTP/1.1 ");
  at = put_number(at, response->status);
  *at++ = ' ';
  at = put_text(at, chs_status_reason(response->status));
  at = put(at, "\r\n", 2);
  at = put_text(at, conn->loop->date);
  if (response->fields_length > 0) at = put(at, response->fields, response->fields_length);
  /* RFC 9110 8.6: no Content-Length in 204; in 304 it would have to be that of the 200. */
  if (response->stream) {
    if (!conn->minor_zero) at = put_text(at, "Transfer-Encoding: chunked\r\n");
  } else if (response->status != 204 && response->status != 304) {
    at = put_text(at, "Content-Length: ");
    at = put_number(at, response->declared_length >= 0 ? (uint64_t)response->declared_length : response->body_length);
    at = put(at, "\r\n", 2);
  }
  if (close) {
    at = put_text(at, "Connection: close\r\n");
  } else if (conn->minor_zero) {
    at = put_text(at, "Connection: keep-alive\r\n");
  }
  at = put(at, "\r\n", 2);
  return (size_t)(at - out);
}
