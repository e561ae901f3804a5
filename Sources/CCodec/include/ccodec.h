/* Digests and signatures by OpenSSL and gzip by zlib, whose headers stay in this target. Every function may be called on any thread. */
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

/* ---- Signatures ---- */

/* A public key. Any number of threads may verify by one at a time. */
typedef struct ccd_key ccd_key;

/* The curves of RFC 7518, section 6.2.1.1. */
typedef enum { CCD_P256, CCD_P384, CCD_P521 } ccd_curve;

/* What signs (RFC 7518, section 3.1; RFC 8037): no HMAC, and not `none`. */
typedef enum {
  CCD_RS256, CCD_RS384, CCD_RS512, CCD_PS256, CCD_PS384, CCD_PS512, CCD_ES256, CCD_ES384, CCD_ES512, CCD_EDDSA
} ccd_signature_kind;

/* RFC 7518, section 3.3, asks for 2048 bits; 8192 bound the time that a signature takes. */
#define CCD_RSA_LEAST_BYTES 256
#define CCD_RSA_MOST_BYTES 1024
#define CCD_ED25519_BYTES 32

/* Keys of unsigned big-endian numbers; NULL where they are no key of the kind: too short or long, even, not on the curve.
 * Every key is freed by ccd_key_free. */
ccd_key *ccd_key_rsa(const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent, size_t exponent_length);
ccd_key *ccd_key_ec(ccd_curve curve, const uint8_t *x, const uint8_t *y, size_t coordinate_length);
ccd_key *ccd_key_ed25519(const uint8_t *x, size_t length);
void ccd_key_free(ccd_key *key);

/* Whether the key's holder has signed `data`; false, too, where the kind does not fit the key. ECDSA signatures are two
 * numbers of a coordinate's length (RFC 7518, section 3.4). */
bool ccd_verify(
    const ccd_key *key, ccd_signature_kind kind, const uint8_t *data, size_t data_length, const uint8_t *signature,
    size_t signature_length);

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
