#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ccodec.h"

bool ccd_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *data, size_t data_length,
    uint8_t digest[CCD_HMAC_SHA256_SIZE]) {
  unsigned length = 0;
  // OpenSSL takes the key's length as an int, and a key is never near that.
  if (key_length > INT32_MAX) return false;
  return HMAC(EVP_sha256(), key, (int)key_length, data, data_length, digest, &length) != NULL
      && length == CCD_HMAC_SHA256_SIZE;
}

bool ccd_sha256(const uint8_t *data, size_t data_length, uint8_t digest[CCD_SHA256_SIZE]) {
  return EVP_Digest(data, data_length, digest, NULL, EVP_sha256(), NULL) == 1;
}

bool ccd_equal(const uint8_t *a, const uint8_t *b, size_t length) { return CRYPTO_memcmp(a, b, length) == 0; }
