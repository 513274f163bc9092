/*
 * The other end of the TLS benchmarks, on OpenSSL:
 *
 *   tls echo PORT CONNECTIONS SECONDS [PID]              asks with lines of 64 bytes, one at a time on each connection
 *   tls idle PORT CONNECTIONS PID                        handshakes, then silence
 *   tls handshakes PORT CONNECTIONS SECONDS VERSION full|resumed [PID]
 *                                                        opens connections, waits for one byte on each, closes it
 *   tls take PORT                                        receives until the server closes
 *   tls give PORT BYTES                                  sends so much, then waits until the server closes
 *   tls serve VERSION full|resumed CERTIFICATE KEY       a server for clients that are measured, until it is ended: one
 *                                                        byte to each, then it waits until they close. With `full`, it
 *                                                        gives them nothing by which they could resume
 *
 * VERSION is 1.2 or 1.3. With the server's process number, it prints how much of the time that process computed.
 *
 *   per_second N                   answered lines, finished handshakes, or bytes
 *   load_busy N                    share of the time that this program computed: near 1, it is the limit
 *   server_busy N                  share of the time that process PID computed
 *   bytes_per_connection N         growth of the resident memory of process PID
 *
 * `serve` prints its port: `port N`. The exit status is 0 only when nothing went wrong.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE 64
#define EVENTS 256
#define PIECE (16 * 1024)
#define WARM_UP 0.3 /* seconds */

/* What a connection does once its handshake is over. */
enum purpose { ECHO, SILENCE, ONE_BYTE, GREETING };

struct connection {
  SSL *tls;
  int fd;
  int established, received;
  char line[LINE];
};

static int poller;
static enum purpose purpose;
static SSL_CTX *context;
static SSL_SESSION *session; /* to be resumed by all */
static int resume;
static unsigned long done;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void die(const char *what) {
  fprintf(stderr, "tls: %s: %s\n", what, errno ? strerror(errno) : "failed");
  ERR_print_errors_fp(stderr);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) < 0) die("clock_gettime");
  return now.tv_sec + now.tv_nsec / 1e9;
}

static long resident_bytes(long pid) {
  char path[64], text[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%ld/status", pid);
  FILE *file = fopen(path, "r");
  if (!file) die(path);
  while (kib < 0 && fgets(text, sizeof text, file)) sscanf(text, "VmRSS: %ld", &kib);
  fclose(file);
  return kib * 1024;
}

static SSL_CTX *new_context(const char *version) {
  int number = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX *new = SSL_CTX_new(TLS_method());
  if (!new || !SSL_CTX_set_min_proto_version(new, number) || !SSL_CTX_set_max_proto_version(new, number))
    die("context");
  SSL_CTX_set_mode(new, SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_read_ahead(new, 1);
  SSL_CTX_set_session_cache_mode(new, SSL_SESS_CACHE_OFF);
  return new;
}

/* A connection of the client's side, whose TCP part is there. */
static void open_connection(struct connection *connection) {
  /* Closing resets the connection: thousands in TIME_WAIT would be the next measurement's burden. */
  struct linger reset = {.l_onoff = 1};
  int on = 1;
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connection->established = connection->received = 0;
  if (connection->fd < 0 || setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) die("socket");
  if (purpose == ONE_BYTE) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
  connection->tls = SSL_new(context);
  if (!connection->tls || !SSL_set_fd(connection->tls, connection->fd)) die("connection");
  if (resume && session) SSL_set_session(connection->tls, session);
  SSL_set_connect_state(connection->tls);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) < 0) die("epoll_ctl");
}

static void close_connection(struct connection *connection) {
  SSL_free(connection->tls);
  close(connection->fd);
}

/* Whether `result` says that there is more to wait for. */
static int must_wait(struct connection *connection, int result) {
  int error = SSL_get_error(connection->tls, result);
  if (error == SSL_ERROR_WANT_READ) return 1;
  if (purpose == GREETING) return 0; /* clients may go as they like */
  errno = 0;
  die(connection->established ? "the server closed a connection" : "handshake");
  return 0;
}

static void ask(struct connection *connection) {
  memset(connection->line, 'a' + done % 26, LINE - 1);
  connection->line[LINE - 1] = '\n';
  connection->received = 0;
  if (SSL_write(connection->tls, connection->line, LINE) != LINE) die("SSL_write");
}

/* Goes on with a connection. Returns 0 when it is over. */
static int go_on(struct connection *connection) {
  char bytes[LINE];
  if (!connection->established) {
    int result = SSL_do_handshake(connection->tls);
    if (result != 1) return must_wait(connection, result);
    connection->established = 1;
    if (purpose == ECHO) ask(connection);
    if (purpose == GREETING && SSL_write(connection->tls, ".", 1) != 1) return 0;
    if (purpose == SILENCE) done++;
  }
  for (;;) {
    int count = SSL_read(connection->tls, bytes, LINE);
    if (count <= 0) return must_wait(connection, count);
    if (purpose == ECHO) {
      if (connection->received + count > LINE || memcmp(bytes, connection->line + connection->received, count) != 0)
        die("wrong echo");
      connection->received += count;
      if (connection->received == LINE) {
        done++;
        ask(connection);
        return 1;
      }
    } else if (purpose == ONE_BYTE) {
      if (resume && session && !SSL_session_reused(connection->tls)) die("not resumed");
      if (resume && !session) session = SSL_get1_session(connection->tls);
      SSL_shutdown(connection->tls);
      return 0;
    }
  }
}

/* Goes on with a connection, and with another one in its place when it is over. */
static void go_on_or_replace(struct connection *connection) {
  while (!go_on(connection)) {
    close_connection(connection);
    if (purpose == ONE_BYTE) done++;
    open_connection(connection);
  }
}

/* Opens a connection and takes the first step of its handshake; a quick server may be through with it at once. */
static void begin(struct connection *connection) {
  open_connection(connection);
  go_on_or_replace(connection);
}

static void go_on_for(double span) {
  struct epoll_event events[EVENTS];
  double end = seconds(CLOCK_MONOTONIC) + span;
  do {
    int count = epoll_wait(poller, events, EVENTS, 100);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) {
      go_on_or_replace(events[i].data.ptr);
    }
  } while (seconds(CLOCK_MONOTONIC) < end);
}

static void measure(long count, double span, long pid) {
  clockid_t server_clock = CLOCK_MONOTONIC;
  if (pid && (errno = clock_getcpuclockid(pid, &server_clock))) die("PID");
  struct connection *connections = calloc(count, sizeof *connections);
  if (!connections) die("calloc");
  if (purpose == ONE_BYTE && resume) { /* the first session is for all */
    struct epoll_event event;
    open_connection(&connections[0]);
    while (go_on(&connections[0])) epoll_wait(poller, &event, 1, -1);
    close_connection(&connections[0]);
  }
  long before = pid ? resident_bytes(pid) : 0;
  for (long i = 0; i < count; i++) {
    begin(&connections[i]);
    if (purpose == SILENCE) /* one after the other, so that no backlog is too short */
      while (done <= (unsigned long)i) go_on_for(0);
  }
  if (purpose == SILENCE) {
    go_on_for(0.2);
    printf("bytes_per_connection %ld\n", (resident_bytes(pid) - before) / count);
    return;
  }
  go_on_for(WARM_UP);
  done = 0;
  double server_time = seconds(server_clock), our_time = seconds(CLOCK_PROCESS_CPUTIME_ID);
  double start = seconds(CLOCK_MONOTONIC);
  go_on_for(span);
  span = seconds(CLOCK_MONOTONIC) - start;
  printf("per_second %.0f\n", done / span);
  printf("load_busy %.2f\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - our_time) / span);
  if (pid) printf("server_busy %.2f\n", (seconds(server_clock) - server_time) / span);
}

/* One blocking connection, `count` bytes of ours (if any), then whatever comes until the server closes. */
static void transfer(long count) {
  static char bytes[4 * PIECE];
  struct connection one;
  open_connection(&one);
  if (fcntl(one.fd, F_SETFL, 0) < 0) die("fcntl");
  if (SSL_do_handshake(one.tls) != 1) die("handshake");
  double start = seconds(CLOCK_MONOTONIC), total = count;
  memset(bytes, 'x', sizeof bytes);
  for (int i = 63; i < (int)sizeof bytes; i += LINE) bytes[i] = '\n';
  while (count > 0) {
    int sent = SSL_write(one.tls, bytes, count < (long)sizeof bytes ? count : (long)sizeof bytes);
    if (sent <= 0) die("SSL_write");
    count -= sent;
  }
  if (total > 0) SSL_shutdown(one.tls);
  int received;
  while ((received = SSL_read(one.tls, bytes, sizeof bytes)) > 0) total += received;
  printf("bytes %.0f\nper_second %.0f\n", total, total / (seconds(CLOCK_MONOTONIC) - start));
}

static void serve(const char *certificate, const char *key) {
  socklen_t length = sizeof address;
  struct epoll_event events[EVENTS], event = {.events = EPOLLIN};
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    die("certificate");
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
      epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0)
    die("listen");
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!connection) {
        int fd;
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          connection = calloc(1, sizeof *connection);
          connection->fd = fd;
          connection->tls = SSL_new(context);
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          SSL_set_fd(connection->tls, fd);
          SSL_set_accept_state(connection->tls);
          event.data.ptr = connection;
          epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        }
      } else if (!go_on(connection)) {
        close_connection(connection);
        free(connection);
        ERR_clear_error();
      }
    }
  }
}

int main(int count, char **arguments) {
  const char *mode = count > 1 ? arguments[1] : "";
  signal(SIGPIPE, SIG_IGN);
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) die("epoll_create1");
  if (count > 2) address.sin_port = htons(atoi(arguments[2]));
  context = new_context(count >= 7 && strcmp(mode, "handshakes") == 0 ? arguments[5] : "1.3");
  if (strcmp(mode, "echo") == 0 && count >= 5) {
    purpose = ECHO;
    measure(atol(arguments[3]), atof(arguments[4]), count > 5 ? atol(arguments[5]) : 0);
  } else if (strcmp(mode, "idle") == 0 && count == 5) {
    purpose = SILENCE;
    measure(atol(arguments[3]), 0, atol(arguments[4]));
  } else if (strcmp(mode, "handshakes") == 0 && count >= 7) {
    purpose = ONE_BYTE;
    resume = strcmp(arguments[6], "resumed") == 0;
    measure(atol(arguments[3]), atof(arguments[4]), count > 7 ? atol(arguments[7]) : 0);
  } else if (strcmp(mode, "take") == 0 && count == 3) {
    transfer(0);
  } else if (strcmp(mode, "give") == 0 && count == 4) {
    transfer(atol(arguments[3]));
  } else if (strcmp(mode, "serve") == 0 && count == 6) {
    purpose = GREETING;
    address.sin_port = 0;
    SSL_CTX_free(context);
    context = new_context(arguments[2]);
    if (strcmp(arguments[3], "full") == 0) {
      SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
      SSL_CTX_set_num_tickets(context, 0);
    }
    serve(arguments[4], arguments[5]);
  } else {
    fprintf(stderr, "usage: see the comment at the top of bench/tls.c\n");
    return 2;
  }
  return 0;
}
