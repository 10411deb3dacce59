// A peer that says whatever it is told to, right or wrong, and notes what comes back. Only bare sockets.

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const LIMIT_MS = 60_000;

/** One frame as a client sends it (RFC 6455 5.2), with a masking key of zeros unless one is given. */
export function frame(opcode, payload = '', { fin = true, mask = true, rsv = 0, length } = {}) {
  const body = Buffer.from(payload);
  const declared = length ?? BigInt(body.length);
  const extra = declared > 65_535n ? 8 : declared > 125n ? 2 : 0;
  const head = Buffer.alloc(2 + extra + (mask ? 4 : 0));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | (extra === 8 ? 127 : extra === 2 ? 126 : Number(declared));
  if (extra === 2) head.writeUInt16BE(Number(declared), 2);
  if (extra === 8) head.writeBigUInt64BE(declared, 2);
  return Buffer.concat([head, body]);
}

export const closeFrame = (code) => frame(OPCODE.close, Buffer.of(code >> 8, code & 0xff));

export const head = (path = '/echo', more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`;

const open = new Set();

export class Peer {
  /** Status of the HTTP answer. */
  status;
  /** Code of the Close that came, 1005 when it had none. */
  closeCode;
  /** `fin` or `reset`, once the server's side has ended. */
  end;
  texts = [];
  textCount = 0;
  pongs = 0;
  lastPong = '';
  /** Keeps the texts; most attacks only count them. */
  keeps = false;

  #socket;
  #received = Buffer.alloc(0);
  #wakers = new Set();

  /** Resolves when TCP is connected. */
  static connect(port) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Peer(socket));
      });
    });
  }

  /** Resolves when the handshake is done. */
  static async open(port, path) {
    const peer = await Peer.connect(port);
    peer.write(head(path));
    await peer.until('an answer', () => peer.status !== undefined || peer.end !== undefined);
    if (peer.status !== 101) throw new Error(`the handshake was answered with ${peer.status ?? peer.end}`);
    return peer;
  }

  static destroyAll() {
    for (const peer of open) peer.#socket.destroy();
  }

  constructor(socket) {
    this.#socket = socket;
    open.add(this);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('end', () => this.#ended('fin'));
    socket.on('error', () => this.#ended('reset'));
    socket.on('close', () => {
      open.delete(this);
      this.#ended('fin');
    });
  }

  /** Writes; resolves when the kernel has taken it or the connection is gone. */
  write(data) {
    if (!this.#socket.writable) return Promise.resolve();
    return new Promise((resolve) => this.#socket.write(data, () => resolve()));
  }

  fin() {
    this.#socket.end();
  }
  reset() {
    this.#socket.resetAndDestroy();
  }
  destroy() {
    this.#socket.destroy();
  }
  pause() {
    this.#socket.pause();
  }
  resume() {
    this.#socket.resume();
  }

  /** The server's side has ended. */
  over() {
    return this.until('the end', () => this.end !== undefined);
  }

  /** Resolves when `holds` does, asked again after everything that comes. */
  until(what, holds) {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wakers.delete(wake);
        reject(new Error(`${what} did not come in ${LIMIT_MS / 1000} s`));
      }, LIMIT_MS);
      const wake = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      this.#wakers.add(wake);
    });
  }

  #wake() {
    for (const wake of this.#wakers) wake();
  }

  #ended(how) {
    this.end ??= how;
    this.#wake();
  }

  #take(chunk) {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (this.status === undefined && !this.#takeHead()) return;
    if (this.status === 101) this.#takeFrames();
    this.#wake();
  }

  #takeHead() {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return false;
    this.status = Number(this.#received.subarray(9, 12).toString());
    this.#received = this.#received.subarray(end + 4);
    return true;
  }

  #takeFrames() {
    const all = this.#received;
    let at = 0;
    while (all.length - at >= 2) {
      const short = all[at + 1] & 0x7f;
      const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
      if (all.length - at < 2 + extra) break;
      const size =
        extra === 8 ? Number(all.readBigUInt64BE(at + 2)) : extra === 2 ? all.readUInt16BE(at + 2) : short;
      const start = at + 2 + extra;
      if (all.length - start < size) break;
      this.#frame(all[at] & 0x0f, all.subarray(start, start + size));
      at = start + size;
    }
    this.#received = all.subarray(at);
  }

  #frame(opcode, payload) {
    if (opcode === OPCODE.close) this.closeCode ??= payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    else if (opcode === OPCODE.pong) {
      this.pongs++;
      this.lastPong = payload.toString();
    } else if (opcode === OPCODE.ping) {
      this.write(frame(OPCODE.pong, payload));
    } else {
      this.textCount++;
      if (this.keeps) this.texts.push(payload.toString());
    }
  }
}

/** Does `work` for each number below `count`, so many at once. */
export async function many(count, atOnce, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
