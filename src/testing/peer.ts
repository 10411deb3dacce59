/**
 * The client's end of a connection, over any transport: what all clients of tests, attacks and soaks are made of.
 *
 * It sends what it is told to, right or wrong, and nothing of its own. What the server sends is read with the strictness
 * that RFC 6455 asks of a client, by the decoder that servers use, in the role of a client. The first violation is noted,
 * and nothing after it is read.
 */
import { Buffer } from 'node:buffer';
import type { Extension } from '../io/extensions/extension.ts';
import { type ClosePayload, readClosePayload } from '../io/frames/close-payload.ts';
import { Decoded, FrameDecoder } from '../io/frames/frame-decoder.ts';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../io/frames/frame-encoder.ts';
import { guard } from '../io/time/clock.ts';
import type { Transport } from '../io/transports/transport.ts';
import { parseResponseHead, type ServerResponse } from './handshake.ts';

/** One frame that came. */
export interface PeerFrame {
  readonly opcode: number;
  readonly final: boolean;
  /**
   * The payload: a string for text. When a fragment of text ends within a character, the bytes of that character come
   * with the next one.
   */
  readonly data: string | Uint8Array;
  /** The whole message, with its last frame. */
  readonly message?: string | Uint8Array;
}

export interface PeerListener {
  onFrame(frame: PeerFrame): void;
  /** The server has ended the connection; called once. */
  onEnd?(): void;
  /** The server has broken the protocol. */
  onViolation?(): void;
}

const NO_LIMITS = { cap: Number.POSITIVE_INFINITY, maxFragments: Number.POSITIVE_INFINITY };
const HEAD_END = '\r\n\r\n';

export class ClientPeer {
  /** The response to the handshake, once its head is complete. */
  response: ServerResponse | undefined;
  /** What came after the head of a response that is not 101. */
  body = Buffer.alloc(0);
  /** The payload of the Close frame that came. */
  close: ClosePayload | undefined;
  /** What the server did that RFC 6455 forbids. */
  violation: string | undefined;
  /** How the server ended the connection, or we did. */
  ended: 'fin' | 'reset' | undefined;

  readonly #transport: Transport;
  readonly #listener: PeerListener;
  readonly #decoder = new FrameDecoder(NO_LIMITS, 'client');
  #head = Buffer.alloc(0);
  #wakers: (() => void)[] = [];
  #writers: (() => void)[] = [];

  /** `extension` reads messages with RSV1 set. */
  constructor(transport: Transport, listener: PeerListener, extension?: Extension) {
    this.#transport = transport;
    this.#listener = listener;
    this.#decoder.extension = extension;
    transport.attach({
      onBytes: (chunk) => this.#read(chunk),
      onDrain: () => {
        if (transport.bufferedAmount === 0) this.#releaseWriters();
      },
      onEnd: () => this.end('fin'),
      onError: () => this.end('reset'),
      onClosed: () => {
        this.end('fin');
        this.#releaseWriters();
      },
    });
  }

  /** Sends bytes as they are; resolves when the transport has taken them, or is gone. */
  send(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.#transport.write([bytes])) return Promise.resolve();
    return new Promise((resolve) => this.#writers.push(resolve));
  }

  /** Waits until `look` finds something, asking again after all that comes; undefined after `patienceMs`. */
  async until<T>(look: () => T | undefined, patienceMs = Number.POSITIVE_INFINITY): Promise<T | undefined> {
    let found = look();
    if (found !== undefined) return found;
    let isLate = false;
    const late = () => {
      isLate = true;
      this.wake();
    };
    const disarm = patienceMs === Number.POSITIVE_INFINITY ? undefined : guard(patienceMs, late);
    try {
      while (found === undefined && !isLate) {
        await new Promise<void>((resolve) => this.#wakers.push(resolve));
        found = look();
      }
      return found;
    } finally {
      disarm?.();
    }
  }

  /** Makes all who wait look again. */
  wake(): void {
    for (const waker of this.#wakers.splice(0)) waker();
  }

  /** Notes how the connection has ended. The transport tells it; who drops the transport says it here. */
  end(how: 'fin' | 'reset'): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.#listener.onEnd?.();
    this.wake();
  }

  #releaseWriters(): void {
    for (const writer of this.#writers.splice(0)) writer();
  }

  #read(chunk: Uint8Array): void {
    if (this.violation === undefined) {
      if (this.response === undefined) this.#readHead(chunk);
      else this.#readRest(chunk);
    }
    this.wake();
  }

  #readHead(chunk: Uint8Array): void {
    this.#head = Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return;
    try {
      this.response = parseResponseHead(this.#head.toString('latin1', 0, end));
    } catch (error) {
      this.#violate((error as Error).message); // parseResponseHead throws nothing else
      return;
    }
    this.#readRest(this.#head.subarray(end + HEAD_END.length));
  }

  #readRest(chunk: Uint8Array): void {
    if (this.response?.status === 101) this.#readFrames(chunk);
    else this.body = Buffer.concat([this.body, chunk]);
  }

  #readFrames(chunk: Uint8Array): void {
    const decoder = this.#decoder;
    decoder.append(chunk);
    for (let decoded = decoder.next(); decoded !== Decoded.NEED_MORE; decoded = decoder.next()) {
      if (decoded === Decoded.GIVE_WAY) continue;
      if (decoded === Decoded.FAULT) this.#violate(decoder.fault?.reason ?? '');
      else if (this.close !== undefined) this.#violate('a frame after its Close (5.5.1)');
      else this.#take(decoded);
      if (this.violation !== undefined) return;
    }
    decoder.settle();
  }

  #take(decoded: Decoded): void {
    const decoder = this.#decoder;
    if (decoded === Decoded.MESSAGE) {
      const message = owned(decoder.message);
      const opcode = decoder.text ? TEXT : BINARY;
      this.#listener.onFrame({ opcode, final: true, data: message, message });
    } else if (decoded === Decoded.FRAGMENT) {
      const { final } = decoder;
      const opcode = decoder.first ? (decoder.text ? TEXT : BINARY) : CONTINUATION;
      const data = decoder.takeFragment();
      this.#listener.onFrame(
        final ? { opcode, final, data, message: owned(decoder.takeMessage()) } : { opcode, final, data },
      );
    } else {
      this.#takeControl(decoded, owned(decoder.control) as Uint8Array);
    }
  }

  #takeControl(decoded: Decoded, data: Uint8Array): void {
    if (decoded === Decoded.CLOSE) {
      const close = readClosePayload(data);
      if ('fault' in close) {
        this.#violate(close.fault.reason);
        return;
      }
      this.close = close;
    }
    const opcode = decoded === Decoded.CLOSE ? CLOSE : decoded === Decoded.PING ? PING : PONG;
    this.#listener.onFrame({ opcode, final: true, data });
  }

  #violate(what: string): void {
    this.violation = `the server broke the protocol: ${what}`;
    this.#decoder.discard();
    this.#listener.onViolation?.();
  }
}

/** Bytes in memory that nothing else lies in. */
const owned = (data: string | Uint8Array): string | Uint8Array =>
  typeof data === 'string' ? data : new Uint8Array(data);
