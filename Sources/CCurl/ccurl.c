#include "ccurl.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value) { return curl_easy_setopt(handle, option, value); }

CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}

CURLcode ccurl_set_string(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}

CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl_easy_setopt(handle, option, value);
}

CURLcode ccurl_set_receiver(CURL *handle, CURLoption option, ccurl_receiver receiver) {
  return curl_easy_setopt(handle, option, receiver);
}

CURLcode ccurl_restrict_protocols(CURL *handle) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  return curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static curl_socket_t open_judged(void *context, curlsocktype purpose, struct curl_sockaddr *target) {
  const ccurl_guard *guard = context;
  const unsigned char *address = NULL;
  size_t length = 0;
  /* libcurl has room for the longest address behind `addr`. */
  if (target->family == AF_INET && target->addrlen >= sizeof(struct sockaddr_in)) {
    address = (const unsigned char *)&target->addr + offsetof(struct sockaddr_in, sin_addr);
    length = sizeof(struct in_addr);
  } else if (target->family == AF_INET6 && target->addrlen >= sizeof(struct sockaddr_in6)) {
    address = (const unsigned char *)&target->addr + offsetof(struct sockaddr_in6, sin6_addr);
    length = sizeof(struct in6_addr);
  }
  if (purpose != CURLSOCKTYPE_IPCXN || !guard->judge(address, length, guard->context)) return CURL_SOCKET_BAD;
  return socket(target->family, target->socktype | SOCK_CLOEXEC, target->protocol);
}

CURLcode ccurl_set_guard(CURL *handle, ccurl_guard *guard) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_judged);
  return code == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, guard) : code;
}

void ccurl_set_quick_exit(CURL *handle) {
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
#else
  (void)handle;
#endif
}

CURLcode ccurl_get_long(CURL *handle, CURLINFO info, long *value) { return curl_easy_getinfo(handle, info, value); }

CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

CURL *ccurl_multi_finished(CURLM *multi, CURLcode *result) {
  int left;
  for (CURLMsg *message = curl_multi_info_read(multi, &left); message; message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return NULL;
}
