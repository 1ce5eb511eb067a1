#define _GNU_SOURCE
#include "CCurl.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct {
  const cc_request *request;
  cc_result *result;
  CURL *curl;
  int64_t sent;
} transfer;

// Keeps the value of a header line where it is the named one ("link:", in lower case).
static void keep(const char *line, size_t end, const char *name, char *place, size_t room) {
  size_t from = strlen(name);
  if (end <= from || strncasecmp(line, name, from) != 0) return;
  while (from < end && line[from] == ' ') from++;
  while (end > from && (line[end - 1] == '\r' || line[end - 1] == '\n' || line[end - 1] == ' ')) end--;
  size_t kept = end - from < room - 1 ? end - from : room - 1;
  memcpy(place, line + from, kept);
  place[kept] = 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  cc_result *result = ((transfer *)context)->result;
  size_t length = size * count;
  if (length > 5 && strncasecmp(line, "HTTP/", 5) == 0) {  // a new answer begins
    result->content_range[0] = result->link[0] = result->error_code[0] = result->error_message[0] = result->etag[0] = 0;
  }
  keep(line, length, "content-range:", result->content_range, sizeof result->content_range);
  keep(line, length, "link:", result->link, sizeof result->link);
  keep(line, length, "x-error-code:", result->error_code, sizeof result->error_code);
  keep(line, length, "x-error-message:", result->error_message, sizeof result->error_message);
  keep(line, length, "etag:", result->etag, sizeof result->etag);
  return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  transfer *t = context;
  long status = 0;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 && status != 201 && status != 206) return size * count;  // an error page: of no interest
  curl_off_t whole = -1;
  curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &whole);
  int stop = t->request->on_body(
      t->request->context, (const uint8_t *)bytes, size * count, status, whole, t->result->content_range);
  return stop ? CURL_WRITEFUNC_ERROR : size * count;
}

static int on_tick(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  (void)a, (void)b, (void)c, (void)d;
  transfer *t = context;
  return t->request->on_tick(t->request->context, t->sent);
}

static size_t on_send(char *place, size_t size, size_t count, void *context) {
  transfer *t = context;
  const cc_request *request = t->request;
  int64_t left = request->body_count - t->sent;
  int64_t room = (int64_t)(size * count);
  if (room > left) room = left;
  if (room <= 0) return 0;
  if (request->body) {
    memcpy(place, request->body + t->sent, (size_t)room);
  } else {
    // A file that became shorter meanwhile would leave the server waiting.
    room = pread(request->body_file, place, (size_t)room, request->body_offset + t->sent);
    if (room <= 0) return CURL_READFUNC_ABORT;
  }
  t->sent += room;
  return (size_t)room;
}

// libcurl asks for it where a kept connection turned out to be closed.
static int on_seek(void *context, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  ((transfer *)context)->sent = offset;
  return CURL_SEEKFUNC_OK;
}

static void set_body(CURL *curl, const cc_request *request, transfer *t) {
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_count);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
  curl_easy_setopt(curl, CURLOPT_READDATA, t);
  curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt(curl, CURLOPT_SEEKDATA, t);
}

static void start_library(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

void cc_perform(const cc_request *request, cc_result *result) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_library);
  memset(result, 0, sizeof *result);
  CURL *curl = curl_easy_init();
  if (!curl) {
    result->code = CURLE_FAILED_INIT;
    return;
  }
  transfer t = {request, result, curl, 0};
  struct curl_slist *headers = NULL;
  curl_easy_setopt(curl, CURLOPT_URL, request->url);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "lorapress");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, request->plain_redirects ? "http,https" : "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout_ms);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1024L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, request->stall_seconds);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, result->message);
  if (request->certificates) curl_easy_setopt(curl, CURLOPT_CAINFO, request->certificates);
  if (request->bearer) {
    char line[1024];
    snprintf(line, sizeof line, "Authorization: Bearer %s", request->bearer);
    headers = curl_slist_append(headers, line);
  }
  for (size_t i = 0; i < request->header_count; i++) headers = curl_slist_append(headers, request->headers[i]);
  if (request->method) {
    // Without it libcurl waits a second for a "100 Continue" that many servers never send.
    headers = curl_slist_append(headers, "Expect:");
    set_body(curl, request, &t);
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  // Not CURLOPT_RESUME_FROM, which fails where a server answers with the whole file instead.
  char range[32];
  snprintf(range, sizeof range, "%lld-", (long long)request->offset);
  if (request->offset > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &t);
  result->code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &result->status);
  curl_off_t wait = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
  result->retry_after = wait;
  result->sent = t.sent;
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
}
