// The generator in Node: for what loadgen.c does not speak, TLS and HTTP/2 (--carrier=tls, --carrier=http2), and for machines
// without a C compiler. It does the modes closed and idle, with the options and the output of loadgen.c.
// Slower than C: watch the generator's share that the table prints.
import { readdirSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { connect } from 'node:net';
import tls from 'node:tls';

const option = {
  mode: 'closed',
  path: '/echo',
  check: 'bytes',
  conns: 1,
  inflight: 1,
  fragments: 1,
  text: 0,
  gc: 0,
};
Object.assign(option, { payload: 64, warmup: 0.5, seconds: 2 });
for (const argument of process.argv.slice(2)) {
  const [, key, value] = /^--(\w+)=(.*)$/.exec(argument);
  option[key] = Number.isNaN(Number(value)) ? value : Number(value);
}
if (!['closed', 'idle'].includes(option.mode))
  fail(`mode=${option.mode} needs the generator in C, and so a C compiler`);
setTimeout(() => fail('the generator ran out of time'), (option.seconds + option.warmup + 60) * 1e3).unref();

const mask = [0x37, 0xfa, 0x21, 0x3d];
const inbox = Buffer.allocUnsafe(256 * 1024);
const { request, reply, replyBytes } = buildFrames();
const requests = Buffer.concat(Array.from({ length: option.inflight }, () => request));
let messages = 0;

function fail(error) {
  console.log(JSON.stringify({ ok: false, error }));
  process.exit(1);
}

function head(first, length, bit) {
  if (length < 126) return Buffer.from([first, bit | length]);
  if (length < 65536) return Buffer.from([first, bit | 126, length >> 8, length & 255]);
  const bytes = Buffer.alloc(10);
  bytes[0] = first;
  bytes[1] = bit | 127;
  bytes.writeUInt32BE(length, 6);
  return bytes;
}

function buildFrames() {
  const whole = option.payload * option.fragments;
  const line =
    option.text === 2 ? 'Größe 12 m², naïve café – 速い茶色の狐 🦊. ' : 'The quick brown fox jumps. ';
  const unit = option.text ? Buffer.from(line) : Buffer.from(Array.from({ length: 251 }, (_, i) => i));
  const payload = Buffer.alloc(whole, '.');
  for (let at = 0; at + unit.length <= whole; at += unit.length) unit.copy(payload, at);
  const opcode = option.text ? 1 : 2;
  const frames = [];
  for (let f = 0; f < option.fragments; f++) {
    const fin = f === option.fragments - 1 ? 0x80 : 0;
    const part = payload.subarray(f * option.payload, (f + 1) * option.payload);
    frames.push(
      head(fin | (f ? 0 : opcode), part.length, 0x80),
      Buffer.from(mask),
      part.map((b, i) => b ^ mask[i & 3]),
    );
  }
  const one = Buffer.concat([head(0x80 | opcode, whole, 0), payload]);
  const copies = Math.ceil(inbox.length / one.length) + 1;
  return {
    request: Buffer.concat(frames),
    replyBytes: one.length,
    reply: Buffer.concat(Array.from({ length: copies }, () => one)),
  };
}

class Client {
  constructor(opened) {
    this.opened = opened;
    this.head = '';
    this.received = 0;
    this.replies = 0;
    if (option.carrier === 'http2') this.openStream();
    else this.openSocket();
    this.socket.on('error', (error) => fail(error.message));
    this.socket.on('end', () => fail(`the server hung up (after ${this.replies} replies)`));
  }

  openSocket() {
    const at = option.unix_path ? { path: option.unix_path } : { port: option.port, host: '127.0.0.1' };
    if (option.carrier === 'tls') {
      this.socket = tls.connect({ ...at, rejectUnauthorized: false });
      this.socket.setNoDelay(true);
      this.socket.on('data', (chunk) => this.take(chunk.length, chunk));
    } else {
      const onread = { buffer: inbox, callback: (n) => this.take(n) };
      this.socket = connect({ ...at, noDelay: true, onread });
    }
    this.socket.write(
      `GET ${option.path} HTTP/1.1\r\nHost: 127.0.0.1:${option.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  }

  openStream() {
    this.head = undefined;
    this.socket = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': option.path,
      'sec-websocket-version': '13',
    });
    this.socket.on('response', ({ ':status': status }) => {
      if (status !== 200) fail('handshake refused');
      this.opened();
    });
    this.socket.on('data', (chunk) => this.take(chunk.length, chunk));
  }

  /** Returns true: read on. */
  take(n, from = inbox) {
    if (this.head === undefined) this.check(n, from);
    else this.upgrade(n, from);
    return true;
  }

  check(n, from) {
    const at = this.received % replyBytes;
    if (option.check === 'bytes' && from.compare(reply, at, at + n, 0, n) !== 0)
      fail('wrong bytes in a reply');
    this.received += n;
    const more = Math.floor(this.received / replyBytes) - this.replies;
    this.replies += more;
    messages += more;
    if (more > 0) this.send(more);
  }

  send(count) {
    this.socket.write(count === option.inflight ? requests : requests.subarray(0, count * request.length));
  }

  upgrade(n, from) {
    this.head += from.latin1Slice(0, n);
    if (!this.head.endsWith('\r\n\r\n')) return;
    if (!this.head.startsWith('HTTP/1.1 101') || !this.head.includes('s3pPLMBiTxaQ9kYGzzhZRbK+xOo='))
      fail('handshake refused');
    this.head = undefined;
    this.opened();
  }
}

function serverCpuMicros() {
  let total = 0;
  for (const task of readdirSync(`/proc/${option.pid}/task`))
    total += Number(readFileSync(`/proc/${option.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e3;
  return total;
}

function sample() {
  const own = process.cpuUsage();
  return { wall: performance.now(), server: serverCpuMicros(), own: own.user + own.system, messages };
}

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1e3));
const session = option.carrier === 'http2' ? await openSession() : undefined;
const clients = [];

/** An HTTP/2 session whose peer has told its settings. */
async function openSession() {
  const opened = http2.connect(`http://127.0.0.1:${option.port}`);
  opened.on('error', (error) => fail(error.message));
  opened.setMaxListeners(0);
  await new Promise((resolve) => opened.once('remoteSettings', resolve));
  return opened;
}

async function open(count) {
  for (let i = 0; i < count; i++) await new Promise((resolve) => clients.push(new Client(resolve)));
}

/** Resident memory of the server, once it has collected its garbage. */
async function residentBytes() {
  await wait(0.3);
  if (option.gc) process.kill(option.pid, 'SIGUSR2');
  await wait(0.7);
  return Number(readFileSync(`/proc/${option.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

/** As loadgen.c has it: from none to conns, and the slope from half of them to as many and a half. */
async function idle() {
  const rss = [await residentBytes()];
  for (let i = 0; i < 3; i++) {
    await open(option.conns / 2);
    rss.push(await residentBytes());
  }
  console.log(
    JSON.stringify({
      ok: true,
      rssBefore: rss[0],
      rssAfter: rss[2],
      bytesPerConnection: (rss[2] - rss[0]) / option.conns,
      bytesPerFurther: (rss[3] - rss[1]) / option.conns,
    }),
  );
  process.exit(0);
}

if (option.mode === 'idle') await idle();
await open(option.conns);
for (const client of clients) client.send(option.inflight);
await wait(option.warmup);
const a = sample();
await wait(option.seconds);
const b = sample();
const count = b.messages - a.messages;
if (!count) fail('nothing came back in the measured time');
const seconds = (b.wall - a.wall) / 1e3;
console.log(
  JSON.stringify({
    ok: true,
    seconds,
    messages: count,
    messagesPerSecond: count / seconds,
    cpuMicros: (b.server - a.server) / count,
    serverShare: (b.server - a.server) / 1e6 / seconds,
    generatorShare: (b.own - a.own) / 1e6 / seconds,
    closedByServer: 0,
  }),
);
process.exit(0);
