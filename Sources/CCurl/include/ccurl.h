/* libcurl's variadic calls as functions of fixed types, which Swift can call. Nothing is owned or kept here: the rules
 * of curl_easy_setopt(3) and curl_easy_getinfo(3) hold for every pointer. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value);
CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value);
CURLcode ccurl_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *value);

typedef size_t (*ccurl_receiver)(char *bytes, size_t size, size_t count, void *context);

/* For CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION. */
CURLcode ccurl_set_receiver(CURL *handle, CURLoption option, ccurl_receiver receiver);

/* Allows http and https alone, whatever the library was built with. */
CURLcode ccurl_restrict_protocols(CURL *handle);

/* Judges the address of a connection before there is a socket for it: 4 bytes of IPv4 or 16 of IPv6 in network order, 0 bytes
 * for anything else. False: nothing is opened. */
typedef bool (*ccurl_judge)(const unsigned char *address, size_t length, void *context);

/* Has every connection of the handle judged, whatever name or number led to its address. The guard has to outlive the handle. */
typedef struct {
  ccurl_judge judge;
  void *context;
} ccurl_guard;
CURLcode ccurl_set_guard(CURL *handle, ccurl_guard *guard);

/* A handle that ends does not wait for a name that is being looked up; without effect before libcurl 7.87. */
void ccurl_set_quick_exit(CURL *handle);

CURLcode ccurl_get_long(CURL *handle, CURLINFO info, long *value);

CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value);

/* The handle and result of a finished transfer, or NULL. */
CURL *ccurl_multi_finished(CURLM *multi, CURLcode *result);
