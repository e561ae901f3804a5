/* Character classes of RFC 9110 and RFC 3986, one table look-up each. */
#pragma once

#include "chttpserver.h"

enum {
  CHS_TOKEN = 1,     /* tchar, RFC 9110 5.6.2 */
  CHS_VALUE = 2,     /* field-vchar, SP or HTAB, RFC 9110 5.5 */
  CHS_PCHAR = 4,     /* pchar without pct-encoded, RFC 3986 3.3 */
  CHS_REG_NAME = 8,  /* unreserved or sub-delims, RFC 3986 3.2.2 */
  CHS_HEX = 16,      /* HEXDIG in either case */
  CHS_HEAD_BYTE = 32 /* may stand in a head at all, CR and LF aside */
};

extern const uint8_t chs_classes[256];

static inline bool chs_is(uint8_t byte, uint8_t class) { return (chs_classes[byte] & class) != 0; }

static inline uint8_t chs_hex_value(uint8_t digit) {
  return (uint8_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
}
