/*
 * The load generator: one thread, one epoll, one JSON object on stdout.
 *
 * It performs real upgrade handshakes, sends prebuilt masked frames, and compares what comes back with what a right
 * answer must be (of long chunks both ends only; --check=count: only the number of bytes, for the bare net floor). It
 * reads the server's CPU clock itself, at the very moments its own measuring window opens and shuts.
 *
 * With --frames=FILE it sends the frames of that file in turn (see load/frames.mjs), and the server must agree on
 * permessage-deflate. Replies then differ from server to server: their frame heads are read, whole messages and bytes are
 * counted, and nothing is inflated. processes.mjs has another client compare the texts before each load.
 *
 *   loadgen --mode=closed --port=N --pid=SERVER [--key=value ...]
 *
 *   closed      conns, payload, inflight, fragments, text: each reply releases the next message
 *   open        conns, payload, rate: messages at fixed times; latency counts from the intended time of sending
 *   fairness    conns quiet peers at rate, beside one connection that sends frames of payload bytes flat out
 *   broadcast   conns, payload, inflight, slow: one sender, every connection gets each message; slow ones never read
 *   handshakes  conns at a time: connect, upgrade, hang up
 *   churn       conns at a time: connect, upgrade, one message, closing handshake
 *   idle        resident memory of the server per connection: from none to conns, and of further ones; each first has
 *               `greetings` messages answered
 *   curve       conns held open, batches of batch more: CPU of accepting and of closing one
 *   heartbeat   conns held open for seconds: pings answered, CPU per ping
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define SEND_BYTES (256 * 1024)
#define FLOOD_TURN_BYTES (64 * 1024)
#define CHECK_BYTES 4096
#define HEAD_BYTES 2048
#define CONNECTING_AT_ONCE 64
#define SOURCE_ADDRESSES 200 /* 127.0.0.1 ... 127.0.0.200: enough local ports for any number of short connections */
#define STALL_SECONDS 20

/* ---- options ------------------------------------------------------------------------------------------------ */

static struct {
  const char *mode, *path, *check, *unix_path, *frames;
  int port, pid, conns, inflight, fragments, text, slow, batch, gc, gap_ms, poll, greetings;
  long payload;
  double rate, warmup, seconds;
} opt = {
    .mode = "closed", .path = "/echo", .check = "bytes", .conns = 1, .inflight = 1, .fragments = 1,
    .payload = 64, .batch = 200, .rate = 1000, .warmup = 0.5, .seconds = 2, .gap_ms = 30,
};

static void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("{\"ok\":false,\"error\":\"");
  vprintf(format, args);
  printf("\"}\n");
  va_end(args);
  exit(1);
}

static void parse_options(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    char *key = argv[i], *value = strchr(argv[i], '=');
    if (strncmp(key, "--", 2) || !value) fail("not an option: %s", key);
    *value++ = 0;
    key += 2;
#define TEXT_OPTION(name) if (!strcmp(key, #name)) { opt.name = value; continue; }
#define NUMBER_OPTION(name) if (!strcmp(key, #name)) { opt.name = atof(value); continue; }
    TEXT_OPTION(mode) TEXT_OPTION(path) TEXT_OPTION(check) TEXT_OPTION(unix_path) TEXT_OPTION(frames)
    NUMBER_OPTION(port) NUMBER_OPTION(pid) NUMBER_OPTION(conns) NUMBER_OPTION(inflight) NUMBER_OPTION(fragments)
    NUMBER_OPTION(text) NUMBER_OPTION(slow) NUMBER_OPTION(batch) NUMBER_OPTION(gc) NUMBER_OPTION(gap_ms) NUMBER_OPTION(poll)
    NUMBER_OPTION(payload) NUMBER_OPTION(rate) NUMBER_OPTION(warmup) NUMBER_OPTION(seconds)
    NUMBER_OPTION(greetings)
    fail("unknown option: %s", key);
  }
  if ((!opt.port && !opt.unix_path) || !opt.pid) fail("--pid and --port, or --unix_path, are needed");
}

/* ---- clocks and memory --------------------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t id) {
  struct timespec t;
  if (clock_gettime(id, &t)) fail("the server process is gone");
  return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}
static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static uint64_t server_cpu_ns(void) {
  clockid_t id;
  if (clock_getcpuclockid(opt.pid, &id)) fail("the server process is gone");
  return clock_ns(id);
}

static long server_rss_bytes(void) {
  char name[64];
  long total = 0, resident = 0;
  snprintf(name, sizeof name, "/proc/%d/statm", opt.pid);
  FILE *file = fopen(name, "r");
  if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2) fail("the server process is gone");
  fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

static bool polling; /* see poll_events */
static uint64_t idle_since, idle_ns;

typedef struct { uint64_t wall, server, own, messages, bytes; } Sample;
typedef struct { Sample begin, end; } Window;
static uint64_t messages; /* replies, deliveries or cycles so far, whatever the mode counts */
static uint64_t reply_bytes; /* bytes that came back on open connections */
static Sample sample(void) {
  uint64_t now = now_ns();
  if (idle_since) { idle_ns += now - idle_since; idle_since = now; }
  return (Sample){now, server_cpu_ns(), clock_ns(CLOCK_PROCESS_CPUTIME_ID) - idle_ns, messages, reply_bytes};
}

static void print_window(Window window) {
  Sample a = window.begin, b = window.end;
  double wall = (b.wall - a.wall) / 1e9, server = (b.server - a.server) / 1e3, count = b.messages - a.messages;
  if (!count) fail("nothing came back in the measured time (%.0f before it; the server used %.0f %% of its core)", (double)a.messages, server / wall / 1e4);
  printf("{\"ok\":true,\"seconds\":%.4f,\"messages\":%.0f,\"messagesPerSecond\":%.2f,\"cpuMicros\":%.5f,"
         "\"serverShare\":%.3f,\"generatorShare\":%.3f,\"replyBytes\":%.2f",
         wall, count, count / wall, server / count, server / 1e6 / wall, (b.own - a.own) / 1e9 / wall, (b.bytes - a.bytes) / count);
}

/* ---- latency histogram: 32 steps to each power of two of nanoseconds ------------------------------------------ */

static uint64_t histogram[64 * 64], recorded, slowest_ns;

static void record(uint64_t ns) {
  int power = ns < 64 ? 0 : 58 - __builtin_clzll(ns); /* ns >> power lies in 32..63 */
  histogram[power * 64 + (ns >> power)]++;
  recorded++;
  if (ns > slowest_ns) slowest_ns = ns;
}
static double percentile_us(double share) {
  uint64_t want = (uint64_t)(share * recorded + 0.5), seen = 0;
  for (int i = 0; i < 64 * 64; i++)
    if ((seen += histogram[i]) >= want && histogram[i]) return (double)((uint64_t)(i % 64) << (i / 64)) / 1e3;
  return slowest_ns / 1e3;
}
static void print_latency(void) {
  printf(",\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,\"samples\":%lu", percentile_us(0.5), percentile_us(0.99),
         percentile_us(0.999), slowest_ns / 1e3, (unsigned long)recorded);
}

/* ---- the frames ---------------------------------------------------------------------------------------------- */

static uint8_t *request, *reply;       /* several messages on end, so that one send can carry many */
static size_t request_len, reply_len;  /* bytes of one message; of all messages of --frames */
static size_t request_bytes;           /* bytes in `request` */
static size_t *frame_ends;             /* of --frames: where each of them ends in `request`, and how many there are */
static unsigned frame_count;
static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

static size_t put_head(uint8_t *to, uint8_t first, size_t length, bool masked) {
  uint8_t bit = masked ? 0x80 : 0;
  size_t n = 2;
  to[0] = first;
  if (length < 126) to[1] = bit | length;
  else if (length < 65536) { to[1] = bit | 126; to[2] = length >> 8; to[3] = length; n = 4; }
  else { to[1] = bit | 127; for (int i = 0; i < 8; i++) to[2 + i] = (uint64_t)length >> (56 - 8 * i); n = 10; }
  if (masked) { memcpy(to + n, MASK, 4); n += 4; }
  return n;
}

static void fill_payload(uint8_t *to, size_t length) {
  static const char *ascii = "The quick brown fox jumps over the lazy dog, 0123456789 times. ";
  static const char *mixed = "Größe 12 m², naïve café – 速い茶色の狐 jumps 🦊 over. "; /* UTF-8 of one to four bytes */
  if (!opt.text) { for (size_t i = 0, x = 1; i < length; i++, x = x * 1103515245 + 12345) to[i] = x >> 16; return; }
  const char *line = opt.text == 2 ? mixed : ascii;
  size_t size = strlen(line), whole = length / size * size;
  for (size_t i = 0; i < whole; i++) to[i] = line[i % size];
  memset(to + whole, '.', length - whole); /* never cut inside a character */
}

static size_t put_message(uint8_t *to, const uint8_t *payload) {
  size_t at = 0;
  for (int f = 0; f < opt.fragments; f++) {
    uint8_t opcode = f ? 0 : opt.text ? 1 : 2, fin = f == opt.fragments - 1 ? 0x80 : 0;
    at += put_head(to + at, fin | opcode, opt.payload, true);
    for (long i = 0; i < opt.payload; i++, payload++) to[at++] = *payload ^ MASK[i & 3];
  }
  return at;
}

static void build_frames(int together) {
  size_t length = opt.payload * opt.fragments;
  uint8_t *payload = malloc(length + 1);
  fill_payload(payload, length);
  size_t room = (opt.payload + 14) * opt.fragments;
  if (together < 1) together = 1;
  request = malloc(room * together);
  request_len = put_message(request, payload);
  for (int i = 1; i < together; i++) memcpy(request + i * request_len, request, request_len);
  request_bytes = request_len * together;
  reply = malloc(length + 10 + length + 10 + READ_BYTES);
  reply_len = put_head(reply, 0x80 | (opt.text ? 1 : 2), length, false);
  memcpy(reply + reply_len, payload, length);
  reply_len += length;
  for (size_t i = reply_len; i < reply_len + READ_BYTES; i++) reply[i] = reply[i - reply_len];
  free(payload);
}

/* The messages of --frames, twice on end: bytes of each as four bytes (little-endian), then the frame itself. */
static void read_frames(void) {
  FILE *file = fopen(opt.frames, "rb");
  if (!file) fail("cannot open %s", opt.frames);
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file);
  rewind(file);
  request = malloc(2 * size);
  frame_ends = malloc(size * sizeof *frame_ends);
  uint8_t head[4];
  for (request_len = 0; fread(head, 1, 4, file) == 4; frame_ends[frame_count++] = request_len) {
    size_t length = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
    if (fread(request + request_len, 1, length, file) != length) fail("%s ends within a frame", opt.frames);
    request_len += length;
  }
  fclose(file);
  if (!frame_count) fail("%s is empty", opt.frames);
  memcpy(request + request_len, request, request_len);
  request_bytes = 2 * request_len;
}
static size_t frame_len(unsigned n) { return frame_ends[n] - (n ? frame_ends[n - 1] : 0); }

/* ---- connections --------------------------------------------------------------------------------------------- */

enum { UNUSED, CONNECTING, HEAD, OPEN, CLOSING };
typedef struct {
  int fd;
  uint8_t stage, writable_wanted, mute, answered; /* mute: never read from; answered: its Close came back */
  uint64_t received, replies;           /* reply bytes, whole replies */
  uint64_t owed, sent;                  /* request bytes still to send, and sent */
  uint64_t asked;                       /* messages of both */
  uint64_t body;                        /* of --frames: bytes of the payload that is still to come */
  uint8_t frame[10], frame_got;         /* the head of that frame, and how much of it is there */
  char *head;
  int head_len;
} Conn;

static Conn *conns;
static int epfd, opened, connecting, closed_by_server;
static uint64_t pings;
static char upgrade[1024];
static uint8_t inbox[READ_BYTES];

/* What the mode does when a connection opens, has had n more replies, or is gone. */
static void (*on_open)(Conn *), (*on_replies)(Conn *, uint64_t n), (*on_gone)(Conn *);

static void watch(Conn *c, int op) {
  struct epoll_event event = {.events = (c->mute ? EPOLLRDHUP : EPOLLIN) | (c->writable_wanted ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epfd, op, c->fd, &event);
}

/* Connects over TCP, each from the next of the source addresses. */
static int connect_tcp(Conn *c) {
  static unsigned turn;
  int one = 1, small = 4096;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (c->mute) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  struct sockaddr_in to = {.sin_family = AF_INET};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % SOURCE_ADDRESSES);
  bind(c->fd, (struct sockaddr *)&to, sizeof to);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(opt.port);
  return connect(c->fd, (struct sockaddr *)&to, sizeof to);
}

static int connect_unix(Conn *c) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  snprintf(to.sun_path, sizeof to.sun_path, "%s", opt.unix_path);
  return connect(c->fd, (struct sockaddr *)&to, sizeof to);
}

static void start_connection(Conn *c) {
  bool mute = c->mute;
  memset(c, 0, sizeof *c);
  c->mute = mute;
  c->fd = socket(opt.unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) fail("socket: %s (connection %d)", strerror(errno), opened);
  int result = opt.unix_path ? connect_unix(c) : connect_tcp(c);
  if (result && errno != EINPROGRESS) fail("connect: %s", strerror(errno));
  c->stage = CONNECTING;
  c->writable_wanted = 1;
  c->mute = 0; /* the answer to the upgrade is read by all */
  watch(c, EPOLL_CTL_ADD);
  c->mute = mute;
  connecting++;
}

static void drop(Conn *c) {
  if (c->stage == CONNECTING || c->stage == HEAD) connecting--;
  if (c->stage == OPEN || c->stage == CLOSING) opened--;
  close(c->fd);
  free(c->head);
  c->head = NULL;
  c->stage = UNUSED;
}

static void gone(Conn *c, const char *why) {
  int stage = c->stage;
  uint64_t replies = c->replies;
  bool slow = c->mute, answered = c->answered;
  drop(c);
  if (stage == CLOSING) {
    if (!answered && *opt.check == 'b') fail("the server hung up without answering our Close");
    if (on_gone) on_gone(c);
    return;
  }
  closed_by_server++;
  if (stage == OPEN && slow) return;
  fail("%s (%s, after %lu replies)", why, stage == OPEN ? "open" : "in the handshake", (unsigned long)replies);
}

/* Sends what is owed, at most `limit` bytes of it, and asks for EPOLLOUT when the socket is full. */
static void flush_owed(Conn *c, size_t limit) {
  while (c->owed && limit) {
    size_t at = c->sent % request_len, n = request_bytes - at;
    if (n > c->owed) n = c->owed;
    if (n > limit) n = limit;
    if (n > SEND_BYTES) n = SEND_BYTES;
    ssize_t done = send(c->fd, request + at, n, MSG_NOSIGNAL);
    if (done < 0) {
      if (errno != EAGAIN) { gone(c, "the server closed while we sent"); return; }
      break;
    }
    c->sent += done;
    c->owed -= done;
    limit -= done;
    if ((size_t)done < n) break;
  }
  bool wanted = c->owed > 0;
  if (wanted != c->writable_wanted) { c->writable_wanted = wanted; watch(c, EPOLL_CTL_MOD); }
}
static void owe(Conn *c, uint64_t count) {
  if (!opt.frames) c->owed += count * request_len;
  else for (uint64_t n = c->asked; n < c->asked + count; n++) c->owed += frame_len(n % frame_count);
  c->asked += count;
  flush_owed(c, SIZE_MAX);
}

static void send_control(Conn *c, uint8_t opcode, const uint8_t *payload, size_t length) {
  uint8_t frame[140];
  size_t n = put_head(frame, 0x80 | opcode, length, true);
  for (size_t i = 0; i < length; i++) frame[n++] = payload[i] ^ MASK[i & 3];
  if (send(c->fd, frame, n, MSG_NOSIGNAL) != (ssize_t)n && c->stage == OPEN) gone(c, "a control frame did not fit");
}
static void send_close(Conn *c) {
  uint8_t normal[2] = {0x03, 0xe8};
  c->stage = CLOSING;
  send_control(c, 8, normal, 2);
}

/* Between messages a server may ping. Answers pings, returns how many bytes were control frames. */
static size_t take_controls(Conn *c, const uint8_t *bytes, size_t n) {
  size_t at = 0;
  while (at + 2 <= n && (bytes[at] == 0x89 || bytes[at] == 0x8a || (bytes[at] == 0x88 && c->stage == CLOSING))) {
    size_t length = bytes[at + 1];
    if (length > 125 || at + 2 + length > n) fail("a control frame came in pieces");
    if (bytes[at] == 0x88) c->answered = 1;
    if (bytes[at] == 0x89) { pings++; if (c->stage == OPEN) send_control(c, 10, bytes + at + 2, length); }
    at += 2 + length;
  }
  return at;
}

/* Whether the bytes are what must come next. Of long chunks both ends, once a connection has proved its first replies. */
static bool right(Conn *c, const uint8_t *bytes, size_t n) {
  const uint8_t *wanted = reply + c->received % reply_len;
  if (n <= 3 * CHECK_BYTES || c->replies < 4) return !memcmp(bytes, wanted, n);
  return !memcmp(bytes, wanted, CHECK_BYTES) && !memcmp(bytes + n - CHECK_BYTES, wanted + n - CHECK_BYTES, CHECK_BYTES);
}

/* One more byte of a frame's head. Returns whether it is complete; then `body` is the length of the payload. */
static bool take_frame_head(Conn *c, uint8_t byte) {
  uint8_t *head = c->frame;
  head[c->frame_got++] = byte;
  if (c->frame_got < 2) return false;
  uint8_t length = head[1], more = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (length & 0x80) fail("a masked reply");
  if (c->frame_got < 2 + more) return false;
  c->body = more ? 0 : length;
  for (int i = 0; i < more; i++) c->body = c->body << 8 | head[2 + i];
  uint8_t opcode = head[0] & 0xf;
  if (opcode == 8) fail("the server sent a Close after %lu replies", (unsigned long)c->replies);
  if (opcode != 9 && opcode != 10 && (opcode > 1 || head[0] & (opcode ? 0x30 : 0x70)))
    fail("a reply that is no text (first byte %02x)", head[0]);
  return true;
}

/* Counts whole messages. Pings need no answer in so short a time, and are not counted. */
static void count_frames(Conn *c, const uint8_t *bytes, size_t n) {
  uint64_t whole = 0;
  reply_bytes += n;
  for (size_t at = 0; at < n;) {
    if (!c->body && !take_frame_head(c, bytes[at++])) continue;
    size_t skip = c->body < n - at ? c->body : n - at;
    at += skip;
    c->body -= skip;
    if (c->body) break;
    c->frame_got = 0;
    whole += c->frame[0] == 0x80 || (c->frame[0] & 0x8f) == 0x81;
  }
  c->replies += whole;
  if (whole) on_replies(c, whole);
}

static void take_replies(Conn *c, const uint8_t *bytes, size_t n) {
  if (opt.frames) { count_frames(c, bytes, n); return; }
  if (c->received % reply_len == 0) {
    size_t skip = take_controls(c, bytes, n);
    bytes += skip;
    n -= skip;
    if (!n || c->stage == UNUSED) return;
  }
  if (*opt.check == 'b' && !right(c, bytes, n)) {
    if (bytes[0] == 0x88 && n >= 4) fail("the server sent Close %d after %lu replies", bytes[2] << 8 | bytes[3], (unsigned long)c->replies);
    fail("wrong bytes in a reply (after %lu replies)", (unsigned long)c->replies);
  }
  reply_bytes += n;
  c->received += n;
  uint64_t whole = c->received / reply_len, more = whole - c->replies;
  c->replies = whole;
  if (more) on_replies(c, more);
}

/* What was compressed beforehand has a window of 15 bits. */
static void check_extensions(const char *head) {
  const char *answer = strcasestr(head, "sec-websocket-extensions:");
  if (!opt.frames && answer) fail("the server negotiated an extension");
  if (opt.frames && !answer) fail("the server did not agree on permessage-deflate");
  const char *bits = answer ? strstr(answer, "client_max_window_bits=") : NULL;
  if (bits && atoi(strchr(bits, '=') + 1) < 15) fail("the server wants a smaller window: %.26s", bits);
}

static void take_head(Conn *c, const uint8_t *bytes, size_t n) {
  if (!c->head) c->head = malloc(HEAD_BYTES + 1);
  if (c->head_len + n > HEAD_BYTES) fail("a response head of more than %d bytes", HEAD_BYTES);
  memcpy(c->head + c->head_len, bytes, n);
  c->head_len += n;
  c->head[c->head_len] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (!end) return;
  if (strncmp(c->head, "HTTP/1.1 101", 12)) fail("handshake refused: %.40s", strtok(c->head, "\r\n"));
  if (!strstr(c->head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) fail("wrong Sec-WebSocket-Accept");
  check_extensions(c->head);
  size_t rest = c->head_len - (end + 4 - c->head);
  char *head = c->head;
  c->head = NULL;
  c->stage = OPEN;
  connecting--;
  opened++;
  if (c->mute) watch(c, EPOLL_CTL_MOD);
  if (on_open) on_open(c);
  if (rest && c->stage == OPEN) take_replies(c, (uint8_t *)end + 4, rest);
  free(head);
}

static void connected(Conn *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fail("connect: %s", strerror(error));
  c->stage = HEAD;
  c->writable_wanted = 0;
  bool mute = c->mute;
  c->mute = 0;
  watch(c, EPOLL_CTL_MOD);
  c->mute = mute;
  if (send(c->fd, upgrade, strlen(upgrade), MSG_NOSIGNAL) < 0) fail("sending the upgrade: %s", strerror(errno));
}

static void handle(Conn *c, uint32_t events) {
  if (c->stage == CONNECTING) { connected(c); return; }
  if (events & EPOLLOUT && c->stage == OPEN) flush_owed(c, FLOOD_TURN_BYTES);
  if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) || c->stage == UNUSED) return;
  if (c->mute && c->stage == OPEN) { gone(c, "slow reader"); return; } /* only a hang-up gets here */
  ssize_t n = recv(c->fd, inbox, READ_BYTES, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) { gone(c, "the server hung up"); return; }
  if (c->stage == HEAD) take_head(c, inbox, n);
  else if (c->stage == CLOSING) take_controls(c, inbox, n);
  else take_replies(c, inbox, n);
}

/*
 * With --poll=1 the generator never sleeps while a window is measured. To wake a sleeping one is work of the kernel's in
 * the server's write: some µs on a virtual machine, paid for each write that finds it asleep, as on a network each
 * write pays for its packet. Polls that found nothing do not count as the generator's work.
 */
static int poll_events(struct epoll_event *events, int most, int timeout_ms) {
  if (!polling) return epoll_wait(epfd, events, most, timeout_ms);
  int n = epoll_wait(epfd, events, most, 0);
  if (n > 0 && idle_since) { idle_ns += now_ns() - idle_since; idle_since = 0; }
  if (n == 0 && !idle_since) idle_since = now_ns();
  return n;
}

static void step(int timeout_ms) {
  static struct epoll_event events[512];
  int n = poll_events(events, 512, timeout_ms);
  for (int i = 0; i < n; i++) {
    Conn *c = events[i].data.ptr;
    if (c->stage != UNUSED) handle(c, events[i].events);
  }
}

static void run_until(uint64_t deadline) {
  for (uint64_t now = now_ns(); now < deadline; now = now_ns()) step((deadline - now) / 1000000 + 1);
}
static uint64_t after(double seconds) { return now_ns() + (uint64_t)(seconds * 1e9); }

/* Opens connections first .. first + count - 1, some at a time, and returns when all are open. */
static void open_some(int first, int count) {
  int target = opened + count, next = 0;
  uint64_t limit = after(STALL_SECONDS + count / 500.0);
  while (opened < target) {
    while (next < count && connecting < CONNECTING_AT_ONCE) start_connection(&conns[first + next++]);
    step(1000);
    if (now_ns() > limit) fail("only %d of %d connections opened", opened, target);
  }
}

static void close_some(int first, int count) {
  int before = opened, target = opened - count, next = 0;
  uint64_t limit = after(STALL_SECONDS);
  while (opened > target) {
    for (; next < count && next - (before - opened) < CONNECTING_AT_ONCE; next++) send_close(&conns[first + next]);
    step(1000);
    if (now_ns() > limit) fail("the server did not close %d connections after the closing handshake", opened - target);
  }
}

static void settle(void) { /* garbage collected (twice, with time to finish), queues empty */
  for (int i = 0; i < 2; i++) {
    if (opt.gc) kill(opt.pid, SIGUSR2);
    run_until(after(0.4));
  }
}

/* ---- modes: closed loop, and what replaces connections ---------------------------------------------------------- */

static void count_replies(Conn *c, uint64_t n) { (void)c; messages += n; }
static bool ending; /* no more messages: only what is under way comes back */
static void next_message(Conn *c, uint64_t n) {
  messages += n;
  if (!ending) owe(c, n);
}

static Window measure(void) {
  Window window;
  polling = opt.poll;
  run_until(after(opt.warmup));
  window.begin = sample();
  run_until(after(opt.seconds));
  window.end = sample();
  polling = false;
  return window;
}

/* Every message must have been answered: a server that drops some has not done the work. */
static void expect_all(const char *what, uint64_t (*wanted)(void)) {
  ending = true;
  for (uint64_t limit = after(STALL_SECONDS / 4); messages < wanted() && now_ns() < limit;) step(10);
  if (messages != wanted()) fail("%lu %s of %lu never came", (unsigned long)(wanted() - messages), what, (unsigned long)wanted());
}
static uint64_t all_sent(void) {
  uint64_t total = 0;
  for (int i = 0; i < opt.conns; i++) total += conns[i].asked;
  return total;
}

static void mode_closed(void) {
  on_replies = next_message;
  open_some(0, opt.conns);
  for (int i = 0; i < opt.conns; i++) owe(&conns[i], opt.inflight);
  Window window = measure();
  expect_all("replies", all_sent);
  print_window(window);
}

static void again(Conn *c) { messages++; start_connection(c); }
static void hang_up(Conn *c) { drop(c); again(c); }
static void mode_handshakes(void) {
  on_open = hang_up;
  for (int i = 0; i < opt.conns; i++) start_connection(&conns[i]);
  print_window(measure());
}

static void one_message(Conn *c) { owe(c, 1); }
static void then_close(Conn *c, uint64_t n) { (void)n; send_close(c); }
static void mode_churn(void) {
  on_open = one_message;
  on_replies = then_close;
  on_gone = again;
  for (int i = 0; i < opt.conns; i++) start_connection(&conns[i]);
  print_window(measure());
}

/* ---- modes: fixed rate ------------------------------------------------------------------------------------------ */

static uint64_t schedule_start, record_from, late_ns;
static double interval_ns;
static int flooder = -1; /* index of the connection that sends flat out */

/* Message k of connection i is due at start + (i + k * conns) * interval: no queue of times to keep. */
static uint64_t due_at(uint64_t nth) { return schedule_start + (uint64_t)(nth * interval_ns); }
static uint64_t flood_replies;

static void note_latency(Conn *c, uint64_t n) {
  int index = c - conns;
  if (index == flooder) { flood_replies += n; return; }
  uint64_t now = now_ns();
  for (uint64_t k = c->replies - n; k < c->replies; k++) {
    uint64_t due = due_at(index + k * opt.conns);
    if (due >= record_from) { record(now > due ? now - due : 0); messages++; }
  }
}

static uint64_t send_due(uint64_t next, uint64_t until) {
  uint64_t now = now_ns();
  for (uint64_t due; (due = due_at(next)) <= now && due < until; next++) {
    if (due >= record_from && now - due > late_ns) late_ns = now - due;
    owe(&conns[next % opt.conns], 1);
  }
  return next;
}

/* A message that never came back counts with the time it has waited so far. */
static void record_unanswered(uint64_t sent) {
  uint64_t now = now_ns();
  for (int i = 0; i < opt.conns; i++)
    for (uint64_t k = conns[i].replies; i + k * opt.conns < sent; k++)
      if (due_at(i + k * opt.conns) >= record_from) record(now - due_at(i + k * opt.conns));
}

static void mode_open(bool flood) {
  on_replies = note_latency;
  flooder = flood ? opt.conns : -1;
  open_some(0, opt.conns + flood);
  if (flood) { conns[flooder].owed = UINT64_MAX / 2; flush_owed(&conns[flooder], FLOOD_TURN_BYTES); }
  interval_ns = 1e9 / opt.rate;
  schedule_start = now_ns();
  record_from = schedule_start + (uint64_t)(opt.warmup * 1e9);
  uint64_t until = record_from + (uint64_t)(opt.seconds * 1e9), next = 0, flooded = 0;
  Sample begin = {0};
  while (now_ns() < until) {
    if (!begin.wall && now_ns() >= record_from) { begin = sample(); flooded = flood_replies; }
    next = send_due(next, until);
    uint64_t now = now_ns(), due = due_at(next);
    step(due > now + 1500000 ? 1 : 0); /* spins when the next message is near: this core is ours */
  }
  Sample end = sample();
  flooded = flood_replies - flooded;
  uint64_t wanted = 0;
  for (uint64_t i = next; i-- > 0 && due_at(i) >= record_from;) wanted++;
  for (uint64_t limit = after(flood ? 5 : 2); messages < wanted && now_ns() < limit;) step(1);
  uint64_t unanswered = wanted - messages;
  record_unanswered(next);
  end.messages = messages;
  print_window((Window){begin, end});
  print_latency();
  printf(",\"rate\":%.0f,\"unanswered\":%lu,\"sentLate\":%.1f", opt.rate, (unsigned long)unanswered, late_ns / 1e3);
  if (flood) printf(",\"floodPerSecond\":%.0f", flooded / ((end.wall - begin.wall) / 1e9));
}

/* ---- modes: broadcast --------------------------------------------------------------------------------------------- */

static uint64_t broadcasts;
static int readers;
static void delivered(Conn *c, uint64_t n) {
  (void)c;
  messages += n;
  while (!ending && messages >= (broadcasts - opt.inflight + 1) * readers) { broadcasts++; owe(&conns[0], 1); }
}
static uint64_t all_delivered(void) { return broadcasts * readers; }

static void mode_broadcast(void) {
  on_replies = delivered;
  readers = opt.conns - opt.slow;
  for (int i = readers; i < opt.conns; i++) conns[i].mute = 1;
  open_some(0, opt.conns);
  if (opt.slow) settle();
  long before = server_rss_bytes();
  broadcasts = opt.inflight;
  owe(&conns[0], opt.inflight);
  Window window = measure();
  expect_all("deliveries", all_delivered);
  print_window(window);
  printf(",\"rssGrowth\":%ld,\"slowClosed\":%d", server_rss_bytes() - before, closed_by_server);
}

/* ---- modes: many idle connections ----------------------------------------------------------------------------------- */

/* Each of these connections has some messages answered, one behind the other. */
static void greet(int first, int count) {
  uint64_t wanted = messages + (uint64_t)count * opt.greetings;
  for (int i = first; i < first + count; i++)
    for (int n = 0; n < opt.greetings; n++) owe(&conns[i], 1);
  for (uint64_t limit = after(STALL_SECONDS); messages < wanted;) {
    step(10);
    if (now_ns() > limit) fail("%lu greetings were not answered", (unsigned long)(wanted - messages));
  }
}

/* Per connection from none to conns, and the slope from half of conns to conns and a half: the first thousands also
   grow the young generation of a garbage-collected heap, some 30 MB that further connections do not add to. */
static void mode_idle(void) {
  long rss[4] = {0};
  on_replies = count_replies;
  for (int i = 0; i < 4; i++) {
    if (i) open_some((i - 1) * (opt.conns / 2), opt.conns / 2);
    if (i) greet((i - 1) * (opt.conns / 2), opt.conns / 2);
    settle();
    rss[i] = server_rss_bytes();
  }
  printf("{\"ok\":true,\"rssBefore\":%ld,\"rssAfter\":%ld,\"bytesPerConnection\":%.1f,\"bytesPerFurther\":%.1f", rss[0], rss[2],
         (double)(rss[2] - rss[0]) / opt.conns, (double)(rss[3] - rss[1]) / opt.conns);
}

static void mode_curve(void) {
  uint64_t accepting = 0, closing = 0;
  int batches = 0;
  on_replies = count_replies;
  open_some(0, opt.conns);
  settle();
  for (uint64_t limit = after(opt.warmup); now_ns() < limit;) { /* warm */
    open_some(opt.conns, opt.batch);
    close_some(opt.conns, opt.batch);
  }
  run_until(after(0.2));
  for (uint64_t limit = after(opt.seconds); now_ns() < limit; batches++) {
    uint64_t a = server_cpu_ns();
    open_some(opt.conns, opt.batch);
    run_until(after(opt.gap_ms / 1e3)); /* so that the server's own afterwork lands where it belongs */
    uint64_t b = server_cpu_ns();
    close_some(opt.conns, opt.batch);
    run_until(after(opt.gap_ms / 1e3));
    accepting += b - a;
    closing += server_cpu_ns() - b;
  }
  double count = (double)batches * opt.batch * 1e3;
  printf("{\"ok\":true,\"open\":%d,\"batches\":%d,\"acceptMicros\":%.3f,\"closeMicros\":%.3f,\"acceptCloseMicros\":%.3f",
         opt.conns, batches, accepting / count, closing / count, (accepting + closing) / count);
}

static void mode_heartbeat(void) {
  on_replies = count_replies;
  open_some(0, opt.conns);
  run_until(after(opt.warmup));
  uint64_t cpu = server_cpu_ns(), start = pings;
  run_until(after(opt.seconds));
  cpu = server_cpu_ns() - cpu;
  uint64_t count = pings - start;
  printf("{\"ok\":true,\"open\":%d,\"pings\":%lu,\"microsPerPing\":%.3f,\"microsPerConnectionSecond\":%.4f", opt.conns,
         (unsigned long)count, count ? cpu / 1e3 / count : 0, cpu / 1e3 / opt.conns / opt.seconds);
}

/* ---- main ------------------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
  parse_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, SIG_DFL);
  alarm((unsigned)(opt.seconds + opt.warmup + opt.conns / 500.0 + 3 * STALL_SECONDS)); /* it always ends */
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  snprintf(upgrade, sizeof upgrade,
           "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"
           "User-Agent: Mozilla/5.0 (X11; Linux x86_64) load\r\nUpgrade: websocket\r\nOrigin: http://127.0.0.1:%d\r\n"
           "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
           opt.path, opt.port, opt.port);
  bool fairness = !strcmp(opt.mode, "fairness");
  if (opt.frames) read_frames();
  else build_frames(fairness ? FLOOD_TURN_BYTES / (opt.payload + 6) + 1 : opt.inflight);
  conns = calloc(opt.conns * 2 + opt.batch + 1, sizeof *conns);
  epfd = epoll_create1(EPOLL_CLOEXEC);
  if (!strcmp(opt.mode, "closed")) mode_closed();
  else if (!strcmp(opt.mode, "open")) mode_open(false);
  else if (fairness) mode_open(true);
  else if (!strcmp(opt.mode, "broadcast")) mode_broadcast();
  else if (!strcmp(opt.mode, "handshakes")) mode_handshakes();
  else if (!strcmp(opt.mode, "churn")) mode_churn();
  else if (!strcmp(opt.mode, "idle")) mode_idle();
  else if (!strcmp(opt.mode, "curve")) mode_curve();
  else if (!strcmp(opt.mode, "heartbeat")) mode_heartbeat();
  else fail("unknown mode: %s", opt.mode);
  printf(",\"closedByServer\":%d}\n", closed_by_server);
  return 0;
}
