/* gzip by zlib, one member in one call. */
#include "ccodec.h"

#include <limits.h>
#include <zlib.h>

enum { GZIP_WINDOW_BITS = 15 + 16 /* the largest window, in the gzip format */, MEMORY_LEVEL = 8, GZIP_OVERHEAD = 32 };

size_t ccd_gzip_bound(size_t length) { return (size_t)compressBound((uLong)length) + GZIP_OVERHEAD; }

size_t ccd_gzip(const uint8_t *data, size_t length, int level, uint8_t *out, size_t room) {
  /* zlib counts in unsigned int; no body of ours comes near. */
  if (length > UINT_MAX || room > UINT_MAX) return 0;
  z_stream stream = {0};
  if (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
  stream.next_in = (Bytef *)(uintptr_t)data;
  stream.avail_in = (uInt)length;
  stream.next_out = out;
  stream.avail_out = (uInt)room;
  int result = deflate(&stream, Z_FINISH);
  size_t made = room - stream.avail_out;
  deflateEnd(&stream);
  return result == Z_STREAM_END ? made : 0;
}

bool ccd_gunzip(const uint8_t *data, size_t length, uint8_t *out, size_t room) {
  if (length > UINT_MAX || room > UINT_MAX) return false;
  z_stream stream = {0};
  if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK) return false;
  stream.next_in = (Bytef *)(uintptr_t)data;
  stream.avail_in = (uInt)length;
  /* zlib wants a place to write to even where nothing is to be written. */
  uint8_t none = 0;
  stream.next_out = room > 0 ? out : &none;
  stream.avail_out = (uInt)room;
  int result = inflate(&stream, Z_FINISH);
  bool whole = result == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
  inflateEnd(&stream);
  return whole;
}
