/*
 * The yardstick: an echo of newline-terminated lines in one thread on bare epoll.
 *
 * Listens on a loopback port chosen by the system, prints it as `port N`, and serves until it is ended by a signal.
 * A request that arrives whole costs one recv, one send and a share of one epoll_wait.
 */

#define _GNU_SOURCE /* accept4, memrchr */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
#define EVENTS 256
#define BUFFER_SIZE 65536 /* also the longest line: who sends a longer one is disconnected */

struct connection {
  int fd;
  size_t unsent;  /* the first bytes of `kept`, which the peer was too slow to take; nothing is read meanwhile */
  size_t length;  /* of `kept` */
  char *kept;     /* what could not be finished in one event: unsent lines, then the start of a line; mostly NULL */
};

/* One for all connections, so that an idle one owns no buffer. */
static char buffer[BUFFER_SIZE];
static int poller;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void wait_for(int operation, int fd, uint32_t events, void *data) {
  struct epoll_event event = {.events = events, .data.ptr = data};
  if (epoll_ctl(poller, operation, fd, &event) < 0) die("epoll_ctl");
}

static int listen_on_loopback(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (bind(fd, (struct sockaddr *)&address, size) < 0) die("bind");
  if (listen(fd, BACKLOG) < 0) die("listen");
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) die("getsockname");
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN) return;
      if (errno == ECONNABORTED || errno == EINTR) continue;
      die("accept"); /* too few descriptors: the measurement would be worth nothing */
    }
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) die("setsockopt");
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) die("calloc");
    connection->fd = fd;
    wait_for(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
  }
}

static void drop(struct connection *connection) {
  close(connection->fd); /* takes it out of the poller, too */
  free(connection->kept);
  free(connection);
}

/* Bytes taken by the system, which may be none, or -1 when the connection is gone. */
static ssize_t send_some(int fd, const char *data, size_t length) {
  ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
  return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void keep(struct connection *connection, const char *data, size_t length) {
  char *kept = NULL;
  if (length > 0) {
    kept = malloc(length);
    if (!kept) die("malloc");
    memcpy(kept, data, length);
  }
  free(connection->kept); /* only now: `data` may lie in it */
  connection->kept = kept;
  connection->length = length;
}

static void on_readable(struct connection *connection) {
  size_t before = connection->length;
  if (before > 0) memcpy(buffer, connection->kept, before);
  ssize_t received = recv(connection->fd, buffer + before, BUFFER_SIZE - before, 0);
  if (received <= 0) {
    if (received == 0 || errno != EAGAIN) drop(connection);
    return;
  }
  size_t total = before + received;

  /* Only what is new can hold a newline. */
  const char *newline = memrchr(buffer + before, '\n', received);
  size_t whole = newline ? newline + 1 - buffer : 0;
  ssize_t sent = whole > 0 ? send_some(connection->fd, buffer, whole) : 0;
  if (sent < 0 || (whole == 0 && total == BUFFER_SIZE)) {
    drop(connection);
    return;
  }
  if (total > (size_t)sent || before > 0) keep(connection, buffer + sent, total - sent);
  connection->unsent = whole - sent;
  if (connection->unsent > 0) wait_for(EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
}

static void on_writable(struct connection *connection) {
  ssize_t sent = send_some(connection->fd, connection->kept, connection->unsent);
  if (sent < 0) {
    drop(connection);
    return;
  }
  keep(connection, connection->kept + sent, connection->length - sent);
  connection->unsent -= sent;
  if (connection->unsent == 0) wait_for(EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
}

int main(void) {
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }

  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) die("epoll_create1");
  int listener = listen_on_loopback();
  wait_for(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);

  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    /* One wait reports a descriptor once, so none of these is of a connection that was freed in this round. */
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!connection) {
        accept_all(listener);
      } else if (connection->unsent > 0) {
        on_writable(connection);
      } else {
        on_readable(connection); /* an error or a hang-up shows in recv */
      }
    }
  }
}
