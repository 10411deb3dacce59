// The generator for machines without a C compiler: the closed loop of loadgen.c (mode=closed), with its options and its output.
// Slower than C: watch the generator's share that the table prints.
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';

const option = {
  mode: 'closed',
  path: '/echo',
  check: 'bytes',
  conns: 1,
  inflight: 1,
  fragments: 1,
  text: 0,
};
Object.assign(option, { payload: 64, warmup: 0.5, seconds: 2 });
for (const argument of process.argv.slice(2)) {
  const [, key, value] = /^--(\w+)=(.*)$/.exec(argument);
  option[key] = Number.isNaN(Number(value)) ? value : Number(value);
}
if (option.mode !== 'closed') fail(`mode=${option.mode} needs the generator in C, and so a C compiler`);
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
    const onread = { buffer: inbox, callback: (n) => this.take(n) };
    this.socket = connect({ port: option.port, host: '127.0.0.1', noDelay: true, onread });
    this.socket.on('error', (error) => fail(error.message));
    this.socket.on('end', () => fail(`the server hung up (after ${this.replies} replies)`));
    this.socket.write(
      `GET ${option.path} HTTP/1.1\r\nHost: 127.0.0.1:${option.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  }

  /** Returns true: read on. */
  take(n) {
    if (this.head === undefined) this.check(n);
    else this.upgrade(n);
    return true;
  }

  check(n) {
    const at = this.received % replyBytes;
    if (option.check === 'bytes' && inbox.compare(reply, at, at + n, 0, n) !== 0)
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

  upgrade(n) {
    this.head += inbox.latin1Slice(0, n);
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
const clients = [];
for (let i = 0; i < option.conns; i++) await new Promise((resolve) => clients.push(new Client(resolve)));
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
