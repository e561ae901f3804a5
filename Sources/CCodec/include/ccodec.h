/* Digests by OpenSSL and gzip by zlib, whose headers stay in this target. Every function may be called on any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Digests ---- */

#define CCD_SHA256_SIZE 32
#define CCD_HMAC_SHA256_SIZE 32

/* SHA-256 (FIPS 180-4) of `data`; false when the library refuses. */
bool ccd_sha256(const uint8_t *data, size_t data_length, uint8_t digest[CCD_SHA256_SIZE]);

/* HMAC-SHA256 (RFC 2104) of `data`; false when the library refuses. */
bool ccd_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *data, size_t data_length,
    uint8_t digest[CCD_HMAC_SHA256_SIZE]);

/* Whether two values are equal, in a time that depends on nothing but their length. */
bool ccd_equal(const uint8_t *a, const uint8_t *b, size_t length);

/* ---- Compression ---- */

/* The most bytes that ccd_gzip makes of `length`. */
size_t ccd_gzip_bound(size_t length);

/* One gzip member (RFC 1952) of `data` in `out`, level 1 (fast) to 9 (small). Returns its length; 0 when it does not fit
 * or memory is short. */
size_t ccd_gzip(const uint8_t *data, size_t length, int level, uint8_t *out, size_t room);

/* Expands one gzip member into exactly `room` bytes, the length that its last four bytes tell (lowest first); false where
 * it is damaged, of another length or followed by something. */
bool ccd_gunzip(const uint8_t *data, size_t length, uint8_t *out, size_t room);

#ifdef __cplusplus
}
#endif
