/*
 * The load: load PORT CONNECTIONS SECONDS [IDLE [PID]]
 *
 * Opens IDLE connections that stay silent, then CONNECTIONS active ones to 127.0.0.1:PORT. Each active one sends a line
 * of 64 bytes, waits for the whole echo, compares it, and sends the next. After a warm-up that is not counted it counts
 * for SECONDS and prints:
 *
 *   requests_per_second N
 *   server_busy N                  share of the time that process PID computed: near 1.00, the server was the limit
 *   load_busy N                    share of the time that this program had something to do: should be lower
 *   bytes_per_idle_connection N    growth of the resident memory of process PID
 *   errors N
 *
 * The exit status is 0 only when there were no errors. An error is a wrong echo, a connection lost, or an active
 * connection that was not answered once while we counted.
 */

#define _GNU_SOURCE /* sched_getaffinity */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
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
#define WARM_UP 0.5     /* seconds */
#define PATIENCE 10     /* seconds for one connect or one first answer */
#define BURST 128       /* idle connections opened without asking whether the server follows; less than any backlog */
#define PER_SOURCE 8000 /* connections from one source address; less than any system's range of ports */

struct connection {
  int fd;
  unsigned received; /* bytes of the current echo */
  unsigned answers;  /* since we count */
  int silent;
  char line[LINE];
};

struct count {
  unsigned long requests;
  double span, busy; /* seconds */
};

static int poller;
static int wait_milliseconds = 100;
static struct sockaddr_in server = {.sin_family = AF_INET};
static unsigned opened;
static unsigned long errors;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void error(struct connection *connection, const char *what) {
  if (connection->fd < 0) return;
  if (errors++ == 0) fprintf(stderr, "load: first error: %s\n", what);
  close(connection->fd);
  connection->fd = -1;
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

/* Whether no CPU may run both this program and process PID. */
static int on_different_cpus(long pid) {
  cpu_set_t ours, theirs, both;
  if (sched_getaffinity(0, sizeof ours, &ours) < 0 || sched_getaffinity(pid, sizeof theirs, &theirs) < 0) return 0;
  CPU_AND(&both, &ours, &theirs);
  return CPU_COUNT(&both) == 0;
}

/* A blocking socket with a time limit. */
static int open_connection(void) {
  /* All of 127.0.0.0/8 is ours; a further address brings a further range of ports. */
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + opened++ / PER_SOURCE);
  struct timeval patience = {.tv_sec = PATIENCE};
  /* Closing resets the connection: thousands in TIME_WAIT would be the next measurement's burden. */
  struct linger reset = {.l_onoff = 1};
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
    die("setsockopt");
  /* The least work for the system on our side, where the default may be one that paces; harmless if it is not there. */
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
  if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0) die("bind");
  if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0) die("connect");
  return fd;
}

/* Since connections are accepted in their order, an answer on this one tells that the earlier ones were accepted. */
static void first_round_trip(int fd, const char *line) {
  char echo[LINE];
  if (send(fd, line, LINE, MSG_NOSIGNAL) != LINE) die("first send");
  ssize_t received = recv(fd, echo, LINE, MSG_WAITALL);
  if (received < 0) die("first answer");
  if (received != LINE || memcmp(echo, line, LINE) != 0) {
    fprintf(stderr, "load: the first answer is no echo\n");
    exit(1);
  }
}

static void ask_whether_the_server_follows(void) {
  char line[LINE];
  memset(line, '?', LINE - 1);
  line[LINE - 1] = '\n';
  int fd = open_connection();
  first_round_trip(fd, line);
  close(fd);
}

static void add(struct connection *connection, int fd) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};
  connection->fd = fd;
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
  /* Edge-triggered spares us the second look at every descriptor, and one answer is one edge. */
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void open_silent(struct connection *connection) {
  connection->silent = 1;
  add(connection, open_connection());
  if (opened % BURST == 0) ask_whether_the_server_follows();
}

static void open_active(struct connection *connection) {
  char text[LINE + 1];
  /* Every line differs from all others, so that an old echo or another client's is recognised. The number comes last
   * but one, where next_line counts it up. */
  snprintf(text, sizeof text, "connection %08u, sixty-four bytes, number %08u\n", opened, 0u);
  memset(connection->line, '.', LINE);
  memcpy(connection->line + LINE - strlen(text), text, strlen(text));
  int fd = open_connection();
  first_round_trip(fd, connection->line);
  add(connection, fd);
}

static void next_line(char *line) {
  char *digit = line + LINE - 2;
  while (*digit == '9') *digit-- = '0';
  ++*digit;
}

static void ask(struct connection *connection) {
  next_line(connection->line);
  connection->received = 0;
  /* 64 bytes always fit when everything sent before was answered. */
  if (send(connection->fd, connection->line, LINE, MSG_NOSIGNAL) != LINE) error(connection, "send");
}

/* Whether a request was finished. */
static int on_readable(struct connection *connection) {
  char echo[LINE + 1]; /* one more, to notice a server that sends too much */
  ssize_t received = recv(connection->fd, echo, sizeof echo - connection->received, 0);
  if (received <= 0) {
    if (received == 0 || errno != EAGAIN) error(connection, received ? "receive" : "closed by the server");
    return 0;
  }
  if (connection->silent || connection->received + received > LINE ||
      memcmp(echo, connection->line + connection->received, received) != 0) {
    error(connection, "wrong echo");
    return 0;
  }
  connection->received += received;
  if (connection->received < LINE) return 0;
  connection->answers++;
  ask(connection);
  return 1;
}

/* Answers the server for some seconds. */
static struct count serve_for(double span) {
  struct epoll_event events[EVENTS];
  struct count total = {0};
  double start = seconds(CLOCK_MONOTONIC), before = start, now;
  do {
    int count = epoll_wait(poller, events, EVENTS, wait_milliseconds);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) total.requests += on_readable(events[i].data.ptr);
    now = seconds(CLOCK_MONOTONIC);
    if (count > 0) total.busy += now - before;
    before = now;
  } while (now < start + span);
  total.span = now - start;
  return total;
}

static void pause_for(long milliseconds) {
  struct timespec span = {.tv_nsec = milliseconds * 1000000};
  nanosleep(&span, NULL);
}

static long number(char **arguments, int count, int index, long least, long otherwise) {
  if (index >= count) return otherwise;
  char *end;
  long value = strtol(arguments[index], &end, 10);
  if (*end || value < least) {
    fprintf(stderr, "load: bad argument: %s\n", arguments[index]);
    exit(2);
  }
  return value;
}

int main(int count, char **arguments) {
  if (count < 4 || count > 6) {
    fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS [IDLE [PID]]\n");
    return 2;
  }
  server.sin_port = htons(number(arguments, count, 1, 1, 0));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  long active = number(arguments, count, 2, 1, 0);
  double span = number(arguments, count, 3, 1, 0);
  long idle = number(arguments, count, 4, 0, 0);
  long pid = number(arguments, count, 5, 1, 0);
  clockid_t server_clock = CLOCK_MONOTONIC;
  if (pid && (errno = clock_getcpuclockid(pid, &server_clock))) die("PID");

  /* With a CPU of our own we never sleep: else the server would pay for waking us, the more often the slower it is,
   * which it would not with clients on another machine. */
  if (pid && on_different_cpus(pid)) wait_milliseconds = 0;

  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct connection *connections = calloc(idle + active, sizeof *connections);
  if (poller < 0 || !connections) die("start");

  /* What the server needs for its first connection only is not counted as an idle one's share. */
  ask_whether_the_server_follows();
  pause_for(100);
  long before = pid ? resident_bytes(pid) : 0;
  for (long i = 0; i < idle; i++) open_silent(&connections[i]);
  ask_whether_the_server_follows();
  pause_for(200);
  long after = pid ? resident_bytes(pid) : 0;

  for (long i = idle; i < idle + active; i++) open_active(&connections[i]);
  for (long i = idle; i < idle + active; i++) ask(&connections[i]);
  serve_for(WARM_UP);

  for (long i = idle; i < idle + active; i++) connections[i].answers = 0;
  double server_time = seconds(server_clock);
  struct count total = serve_for(span);
  server_time = seconds(server_clock) - server_time;

  for (long i = idle; i < idle + active; i++)
    if (connections[i].answers == 0) error(&connections[i], "a connection was never answered");

  printf("requests_per_second %.0f\n", total.requests / total.span);
  if (pid) printf("server_busy %.2f\n", server_time / total.span);
  printf("load_busy %.2f\n", total.busy / total.span);
  if (pid && idle) printf("bytes_per_idle_connection %ld\n", (after - before) / idle);
  printf("errors %lu\n", errors);
  free(connections);
  return errors > 0;
}
