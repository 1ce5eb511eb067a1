#pragma once

#include <stddef.h>
#include <stdint.h>

// A narrow face of libmicrohttpd: its variadic calls, casts and enums stay in CHttpServer.c.

typedef struct lora_http_server lora_http_server;
typedef struct lora_http_request lora_http_request;
typedef struct lora_http_response lora_http_response;

/// Answers one request with `lora_http_reply`; a request left unanswered is cut off. Called from many threads.
/// `target` is the path of the request as it came, percent signs and all, without the query. `body` lives as long as the call.
typedef void (*lora_http_handler)(
  void *context, lora_http_request *request, const char *method, const char *target, const void *body, size_t length);

/// How many bytes of a body a request (none of GET and HEAD) may bring. One with 0 is answered at once, its body unread; one that
/// brings more than it may is cut off.
typedef size_t (*lora_http_limit)(
  void *context, lora_http_request *request, const char *method, const char *target);

/// What `lora_http_listen` can't do.
enum {
  LORA_HTTP_UNKNOWN_HOST = -100000
};

/// A listening socket on `host`:`port` (port 0: a free one, put in `bound_port`).
/// Returns the socket, or minus errno, or LORA_HTTP_UNKNOWN_HOST.
int lora_http_listen(const char *host, uint16_t port, uint16_t *bound_port);

/// Serves on `listener`, which it takes over, with a thread a connection. NULL when it can't start; then the listener is closed.
lora_http_server *lora_http_start(int listener, lora_http_handler handler, lora_http_limit limit, void *context);

/// Closes the listener and every connection, and waits for their threads.
void lora_http_stop(lora_http_server *server);

/// A header of the request, its name in any case; NULL when it is not there. Lives as long as the request.
const char *lora_http_header(lora_http_request *request, const char *name);

/// A response with a copy of these bytes.
lora_http_response *lora_http_response_bytes(const void *bytes, size_t length);

/// A response with `length` bytes of a file from `offset` on. Takes the descriptor over, also when it returns NULL.
lora_http_response *lora_http_response_file(int descriptor, uint64_t offset, uint64_t length);

/// Puts at most `capacity` bytes of a stream into `buffer`, waiting for them as long as it likes; 0 ends the stream.
typedef size_t (*lora_http_reader)(void *context, char *buffer, size_t capacity);

/// A response without an end of its own. `reader` is called on the connection's thread, `release` once when nobody reads any more.
lora_http_response *lora_http_response_stream(lora_http_reader reader, void (*release)(void *context), void *context);

void lora_http_set(lora_http_response *response, const char *name, const char *value);

/// Sends the response (its headers alone to HEAD) and frees it.
void lora_http_reply(lora_http_request *request, unsigned status, lora_http_response *response);
