#pragma once
#include <curl/curl.h>
#include <stdint.h>

// libcurl's options are set by variadic calls, which Swift can't make: one request is one call here.

typedef struct {
  const char *url;
  /// "POST", "PUT"; NULL for a GET. Only a GET follows redirections.
  const char *method;
  /// Lines "Name: value".
  const char *const *headers;
  size_t header_count;
  /// What is sent: `body_count` bytes from memory, or where `body` is NULL from byte `body_offset` of `body_file` on.
  const uint8_t *body;
  int body_file;
  int64_t body_offset;
  int64_t body_count;
  /// Sent as "Authorization: Bearer …" to the first host alone; NULL for none.
  const char *bearer;
  /// Certificates to trust; NULL for the system's.
  const char *certificates;
  /// Bytes to leave out at the start (a Range request); 0 for the whole.
  int64_t offset;
  long connect_timeout_ms;
  /// Give up when less than a kilobyte a second came for so long.
  long stall_seconds;
  /// Whether a redirection may lead to plain http.
  int plain_redirects;
  void *context;
  /// Part of the body of an answer of status 200, 201 or 206; `length` is the whole body's, -1 if unknown. Anything but 0 ends
  /// the transfer.
  int (*on_body)(
      void *context, const uint8_t *bytes, size_t count, long status, int64_t length, const char *content_range);
  /// Called several times a second with the bytes of the body sent so far; anything but 0 ends the transfer.
  int (*on_tick)(void *context, int64_t sent);
} cc_request;

typedef struct {
  CURLcode code;
  /// The HTTP status; 0 when there was no answer.
  long status;
  /// Seconds the server asks to wait; 0 if it does not.
  int64_t retry_after;
  char content_range[128];
  /// The Link header, with the next page of a list.
  char link[4096];
  /// The Hub's X-Error-Code: "RepoNotFound", "GatedRepo" …
  char error_code[64];
  /// The Hub's X-Error-Message.
  char error_message[256];
  char etag[256];
  /// Bytes of the body that were sent.
  int64_t sent;
  char message[CURL_ERROR_SIZE];
} cc_result;

void cc_perform(const cc_request *request, cc_result *result);
