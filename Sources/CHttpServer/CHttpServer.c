#define _GNU_SOURCE

#include "CHttpServer.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct lora_http_server {
  struct MHD_Daemon *daemon;
  lora_http_handler handler;
  lora_http_limit limit;
  void *context;
};

// The body of a request that is still coming in.
struct upload {
  size_t length, limit;
  char bytes[];
};

// Marks a GET whose headers were seen.
static char seen;

static int listen_on(const struct addrinfo *address, uint16_t *bound_port) {
  int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
  if (fd < 0) return -errno;
  // Lets a restart take the port over from connections that are still closing; a listening one stays refused.
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_storage bound;
  socklen_t size = sizeof bound;
  if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0
      || getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  *bound_port = bound.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&bound)->sin6_port)
                                            : ntohs(((struct sockaddr_in *)&bound)->sin_port);
  return fd;
}

int lora_http_listen(const char *host, uint16_t port, uint16_t *bound_port) {
  struct addrinfo hints;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  struct addrinfo *found = NULL;
  if (getaddrinfo(host, service, &hints, &found) != 0 || !found) return LORA_HTTP_UNKNOWN_HOST;
  int result = LORA_HTTP_UNKNOWN_HOST;
  for (const struct addrinfo *address = found; address; address = address->ai_next) {
    result = listen_on(address, bound_port);
    // A name with two addresses ("localhost") may lack one of them on this machine; a taken port is an answer.
    if (result >= 0 || result == -EADDRINUSE || result == -EACCES) break;
  }
  freeaddrinfo(found);
  return result;
}

// libmicrohttpd would decode %00 and %2F in place, and C would cut the path there. Our own decoder refuses them.
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text) {
  (void)context;
  (void)connection;
  return strlen(text);
}

static enum MHD_Result take_body(
  lora_http_server *server, struct MHD_Connection *connection, const char *url, const char *method,
  const char *data, size_t *size, void **state) {
  lora_http_request *request = (lora_http_request *)connection;
  struct upload *upload = *state;
  if (!upload) {
    size_t limit = server->limit(server->context, request, method, url);
    upload = limit > 0 ? malloc(sizeof *upload + limit) : NULL;
    if (upload) {
      *upload = (struct upload){.length = 0, .limit = limit};
      *state = upload;
    } else {
      server->handler(server->context, request, method, url, "", 0);
    }
    return MHD_YES;
  }
  if (*size == 0) {
    server->handler(server->context, request, method, url, upload->bytes, upload->length);
    return MHD_YES;
  }
  if (*size > upload->limit - upload->length) return MHD_NO;
  memcpy(upload->bytes + upload->length, data, *size);
  upload->length += *size;
  *size = 0;
  return MHD_YES;
}

static enum MHD_Result answer(
  void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
  const char *upload_data, size_t *upload_size, void **state) {
  (void)version;
  lora_http_server *server = context;
  int reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
  if (!reads) return take_body(server, connection, url, method, upload_data, upload_size, state);
  // The first call comes with the headers alone. A GET waits for the second, so that the connection stays usable.
  if (*state == NULL) {
    *state = &seen;
    return MHD_YES;
  }
  if (*upload_size > 0) {
    *upload_size = 0;
    return MHD_YES;
  }
  server->handler(server->context, (lora_http_request *)connection, method, url, "", 0);
  return MHD_YES;
}

static void forget(
  void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode reason) {
  (void)context;
  (void)connection;
  (void)reason;
  if (*state != &seen) free(*state);
  *state = NULL;
}

lora_http_server *lora_http_start(int listener, lora_http_handler handler, lora_http_limit limit, void *context) {
  lora_http_server *server = calloc(1, sizeof *server);
  if (server) {
    server->handler = handler;
    server->limit = limit;
    server->context = context;
    server->daemon = MHD_start_daemon(
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0, NULL, NULL, &answer, server,
      MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener,
      MHD_OPTION_UNESCAPE_CALLBACK, &leave_escaped, NULL,
      MHD_OPTION_NOTIFY_COMPLETED, &forget, NULL,
      MHD_OPTION_CONNECTION_LIMIT, 256u,
      MHD_OPTION_CONNECTION_TIMEOUT, 60u,
      MHD_OPTION_END);
    if (server->daemon) return server;
    free(server);
  }
  close(listener);
  return NULL;
}

void lora_http_stop(lora_http_server *server) {
  MHD_stop_daemon(server->daemon);
  free(server);
}

const char *lora_http_header(lora_http_request *request, const char *name) {
  return MHD_lookup_connection_value((struct MHD_Connection *)request, MHD_HEADER_KIND, name);
}

lora_http_response *lora_http_response_bytes(const void *bytes, size_t length) {
  return (lora_http_response *)MHD_create_response_from_buffer(length, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

lora_http_response *lora_http_response_file(int descriptor, uint64_t offset, uint64_t length) {
  if (length == 0) {
    close(descriptor);
    return lora_http_response_bytes("", 0);
  }
  struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(length, descriptor, offset);
  if (!response) close(descriptor);
  return (lora_http_response *)response;
}

struct stream {
  lora_http_reader reader;
  void (*release)(void *context);
  void *context;
};

static ssize_t read_stream(void *state, uint64_t position, char *buffer, size_t capacity) {
  (void)position;
  struct stream *stream = state;
  size_t count = stream->reader(stream->context, buffer, capacity);
  return count == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)count;
}

static void release_stream(void *state) {
  struct stream *stream = state;
  stream->release(stream->context);
  free(stream);
}

lora_http_response *lora_http_response_stream(lora_http_reader reader, void (*release)(void *context), void *context) {
  struct stream *stream = malloc(sizeof *stream);
  if (stream) {
    *stream = (struct stream){reader, release, context};
    struct MHD_Response *response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, &read_stream, stream, &release_stream);
    if (response) return (lora_http_response *)response;
    free(stream);
  }
  release(context);
  return NULL;
}

void lora_http_set(lora_http_response *response, const char *name, const char *value) {
  MHD_add_response_header((struct MHD_Response *)response, name, value);
}

void lora_http_reply(lora_http_request *request, unsigned status, lora_http_response *response) {
  MHD_queue_response((struct MHD_Connection *)request, status, (struct MHD_Response *)response);
  MHD_destroy_response((struct MHD_Response *)response);
}
