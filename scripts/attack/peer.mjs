// A peer that says whatever it is told to, right or wrong, and notes what comes back: the client's end of the testing kit,
// from the built package, on a socket.

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { TcpTransport } from '../../dist/io/transports/tcp.js';
import { encodeClientFrame } from '../../dist/testing/frames.js';
import { requestHead } from '../../dist/testing/handshake.js';
import { ClientPeer } from '../../dist/testing/peer.js';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const LIMIT_MS = 60_000;

/** One frame as a client sends it (RFC 6455 5.2), with a masking key of zeros. `length` is what the header declares. */
export const frame = (opcode, payload = '', { fin = true, mask = true, rsv = 0, length } = {}) =>
  encodeClientFrame({ opcode, payload, final: fin, masked: mask, rsv, key: 0, declaredBytes: length });

export const closeFrame = (code) => frame(OPCODE.close, Buffer.of(code >> 8, code & 0xff));

export const head = (path = '/echo') =>
  requestHead(path, 'localhost', { 'Sec-WebSocket-Key': randomBytes(16).toString('base64') });

const open = new Set();

export class Peer {
  texts = [];
  textCount = 0;
  pongs = 0;
  lastPong = '';
  /** Keeps the texts; most attacks only count them. */
  keeps = false;

  #socket;
  #transport;
  #peer;

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
    this.#transport = new TcpTransport(socket);
    this.#peer = new ClientPeer(this.#transport, { onFrame: (frame) => this.#take(frame) });
    socket.on('close', () => open.delete(this));
  }

  /** Status of the HTTP answer. */
  get status() {
    return this.#peer.response?.status;
  }

  /** Code of the Close that came, 1005 when it had none. */
  get closeCode() {
    return this.#peer.close?.code;
  }

  /** `fin` or `reset`, once the server's side has ended. */
  get end() {
    return this.#peer.ended;
  }

  /** Writes; resolves when the kernel has taken it or the connection is gone. */
  write(data) {
    return this.#peer.send(typeof data === 'string' ? Buffer.from(data) : data);
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
    this.#transport.pause();
  }
  resume() {
    this.#transport.resume();
  }

  /** The server's side has ended. */
  over() {
    return this.until('the end', () => this.end !== undefined);
  }

  /** Resolves when `holds` does, asked again after everything that comes. Rejects when the server breaks the protocol. */
  async until(what, holds) {
    const look = () => {
      if (this.#peer.violation !== undefined) throw new Error(this.#peer.violation);
      return holds() || undefined;
    };
    if ((await this.#peer.until(look, LIMIT_MS)) !== undefined) return;
    throw new Error(`${what} did not come in ${LIMIT_MS / 1000} s`);
  }

  #take({ opcode, data, message }) {
    if (opcode === OPCODE.pong) {
      this.pongs++;
      this.lastPong = Buffer.from(data).toString();
    } else if (opcode === OPCODE.ping) {
      this.write(frame(OPCODE.pong, data));
    } else if (message !== undefined) {
      this.textCount++;
      if (this.keeps) this.texts.push(message.toString());
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
