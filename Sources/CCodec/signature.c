#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "ccodec.h"

struct ccd_key {
  EVP_PKEY *pkey;
  /* Of one coordinate, and of each half of a signature; 0 for keys that are not of a curve. */
  size_t coordinate;
};

#define MOST_COORDINATE 66

/* The key of parameters that were built; takes them. NULL where they are no key. */
static ccd_key *key_of(const char *type, OSSL_PARAM *parameters, size_t coordinate) {
  ccd_key *key = NULL;
  EVP_PKEY *pkey = NULL;
  EVP_PKEY_CTX *context = parameters == NULL ? NULL : EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  if (context != NULL && EVP_PKEY_fromdata_init(context) == 1
      && EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) == 1) {
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (check != NULL && EVP_PKEY_public_check(check) == 1 && (key = malloc(sizeof *key)) != NULL) {
      *key = (ccd_key){.pkey = pkey, .coordinate = coordinate};
      pkey = NULL;
    }
    EVP_PKEY_CTX_free(check);
  }
  EVP_PKEY_free(pkey);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  return key;
}

ccd_key *ccd_key_rsa(const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent, size_t exponent_length) {
  if (modulus_length > CCD_RSA_MOST_BYTES || exponent_length == 0 || exponent_length > 8) return NULL;
  BIGNUM *n = BN_bin2bn(modulus, (int)modulus_length, NULL), *e = BN_bin2bn(exponent, (int)exponent_length, NULL);
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  OSSL_PARAM *parameters = NULL;
  if (n != NULL && e != NULL && build != NULL && BN_num_bits(n) >= 8 * CCD_RSA_LEAST_BYTES && BN_is_odd(n) && BN_is_odd(e)
      && !BN_is_one(e) && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1
      && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    parameters = OSSL_PARAM_BLD_to_param(build);
  ccd_key *key = key_of("RSA", parameters, 0);
  OSSL_PARAM_BLD_free(build);
  BN_free(e);
  BN_free(n);
  return key;
}

ccd_key *ccd_key_ec(ccd_curve curve, const uint8_t *x, const uint8_t *y, size_t coordinate_length) {
  static const struct { const char *name; size_t coordinate; } curves[] = {
      [CCD_P256] = {"prime256v1", 32}, [CCD_P384] = {"secp384r1", 48}, [CCD_P521] = {"secp521r1", 66}};
  if ((unsigned)curve >= sizeof curves / sizeof *curves || coordinate_length != curves[curve].coordinate) return NULL;
  uint8_t point[1 + 2 * MOST_COORDINATE] = {POINT_CONVERSION_UNCOMPRESSED};
  memcpy(point + 1, x, coordinate_length);
  memcpy(point + 1 + coordinate_length, y, coordinate_length);
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  OSSL_PARAM *parameters = NULL;
  if (build != NULL && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curves[curve].name, 0) == 1
      && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * coordinate_length) == 1)
    parameters = OSSL_PARAM_BLD_to_param(build);
  ccd_key *key = key_of("EC", parameters, coordinate_length);
  OSSL_PARAM_BLD_free(build);
  return key;
}

ccd_key *ccd_key_ed25519(const uint8_t *x, size_t length) {
  if (length != CCD_ED25519_BYTES) return NULL;
  EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, length);
  ccd_key *key = pkey == NULL ? NULL : malloc(sizeof *key);
  if (key == NULL) {
    EVP_PKEY_free(pkey);
    return NULL;
  }
  *key = (ccd_key){.pkey = pkey};
  return key;
}

void ccd_key_free(ccd_key *key) {
  if (key == NULL) return;
  EVP_PKEY_free(key->pkey);
  free(key);
}

/* The halves of a signature (RFC 7518, section 3.4) as OpenSSL takes them; the length, 0 where there is none. The caller
 * frees `der`. */
static size_t der_of(const uint8_t *signature, size_t coordinate, uint8_t **der) {
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(signature, (int)coordinate, NULL), *s = BN_bin2bn(signature + coordinate, (int)coordinate, NULL);
  int length = 0;
  if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
    r = s = NULL;
    length = i2d_ECDSA_SIG(pair, der);
  }
  BN_free(s);
  BN_free(r);
  ECDSA_SIG_free(pair);
  return length > 0 ? (size_t)length : 0;
}

bool ccd_verify(
    const ccd_key *key, ccd_signature_kind kind, const uint8_t *data, size_t data_length, const uint8_t *signature,
    size_t signature_length) {
  static const struct { int type; const char *digest; bool pss; } kinds[] = {
      [CCD_RS256] = {EVP_PKEY_RSA, "SHA256", false}, [CCD_RS384] = {EVP_PKEY_RSA, "SHA384", false},
      [CCD_RS512] = {EVP_PKEY_RSA, "SHA512", false}, [CCD_PS256] = {EVP_PKEY_RSA, "SHA256", true},
      [CCD_PS384] = {EVP_PKEY_RSA, "SHA384", true},  [CCD_PS512] = {EVP_PKEY_RSA, "SHA512", true},
      [CCD_ES256] = {EVP_PKEY_EC, "SHA256", false},  [CCD_ES384] = {EVP_PKEY_EC, "SHA384", false},
      [CCD_ES512] = {EVP_PKEY_EC, "SHA512", false},  [CCD_EDDSA] = {EVP_PKEY_ED25519, NULL, false}};
  if ((unsigned)kind >= sizeof kinds / sizeof *kinds || EVP_PKEY_get_base_id(key->pkey) != kinds[kind].type) return false;
  uint8_t *der = NULL;
  if (key->coordinate > 0) {
    if (signature_length != 2 * key->coordinate) return false;
    signature_length = der_of(signature, key->coordinate, &der);
    if (signature_length == 0) return false;
    signature = der;
  }
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *options = NULL;
  bool is_good = context != NULL
      && EVP_DigestVerifyInit_ex(context, &options, kinds[kind].digest, NULL, NULL, key->pkey, NULL) == 1
      && (!kinds[kind].pss
          || (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1
              && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1))
      && EVP_DigestVerify(context, signature, signature_length, data, data_length) == 1;
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  return is_good;
}
