/**
 * The language of the conformance suite. A conversation is what a client sends, frame by frame, and what the
 * server must answer. Each is held over real sockets once for every delivery: the frames in one piece, byte by
 * byte and at random splits, after the handshake and glued to the request head.
 *
 * Every conversation ends in the way RFC 6455 7 wants it: the server sends exactly one Close frame, and ends
 * TCP first. Where the client did nothing wrong, the suite closes with 1000 and so shows that the connection
 * was still alive and in step.
 */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { CloseReport } from '../../src/index.ts';
import type { Extension } from '../../src/io/extensions/extension.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';
import {
  bytes,
  closeFrame,
  OPCODE,
  parseClose,
  RawClient,
  requestHead,
  type ServerFrame,
} from '../support/raw-client.ts';
import { nameOfWay, WAYS, type Way } from '../support/splits.ts';

type PortalServer = Awaited<ReturnType<typeof startEchoServer>>;
type Options = NonNullable<Parameters<typeof startEchoServer>[0]>;
type Peer = PortalServer extends EchoServer<infer P> ? P : never;

/** What a client sends, and what it must get. */
export interface Conversation {
  /** The frames, in order. */
  send: Uint8Array[];
  /** The frames that must come back before the Close, made by {@link text}, {@link binary} and {@link pong}. */
  answers?: string[];
  /**
   * The code of the Close frame with which the server must fail the connection, or answer the Close that is
   * in `send`; `'empty'` for a Close without a code. Left out: nothing closes, and the suite does.
   */
  close?: number | 'empty';
  /** Who begins the closing. Default: the server if `close` is a code of failure (1002 to 1011). */
  initiator?: 'server' | 'peer';
  /** The ways to cut what is sent. Default: all of them. */
  ways?: readonly Way[];
}

/** One connection of a test, and its record on the server's side. */
export interface Caller {
  client: RawClient;
  messages: (string | Uint8Array)[];
  opened: Promise<Peer>;
  closed: Promise<CloseReport>;
}

interface Delivery {
  way: Way;
  isGlued: boolean;
}

const SHOWN_BYTES_MAX = 64;

export const text = (payload: string): string => shown('text', bytes(payload));
export const binary = (payload: Uint8Array): string => shown('binary', payload);
export const pong = (payload: string | Uint8Array = ''): string => shown('pong', bytes(payload));

/** `size` bytes, all values and no period that fits a masking key or a power of two. */
export function sampleBytes(size: number): Uint8Array {
  const sample = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) sample[i] = i * 7 + (i >> 8) + (i % 251);
  return sample;
}

/** `size` characters of ASCII. */
export function sampleText(size: number): string {
  return 'The quick brown fox jumps over the lazy dog. '.repeat(Math.ceil(size / 45)).slice(0, size);
}

/** The suite's server for one test file, started and stopped with it, and the two ways to talk to it. */
export class Suite {
  #server: PortalServer | undefined;
  #calls = 0;
  readonly #headers: Record<string, string>;
  readonly #extend: () => Extension | undefined;

  /** `headers` are those that each client sends beside the usual ones; `extend` makes what reads its answers with RSV1. */
  constructor(
    options: Options = {},
    headers: Record<string, string> = {},
    extend: () => Extension | undefined = () => undefined,
  ) {
    this.#headers = headers;
    this.#extend = extend;
    beforeAll(async () => {
      this.#server = await startEchoServer(options);
    });
    afterEach(() => RawClient.destroyAll());
    afterAll(async () => {
      RawClient.destroyAll();
      await this.#server?.stop();
    });
  }

  get port(): number {
    return this.#started().port;
  }

  /** Registers a test that holds one conversation in each delivery. */
  conforms(name: string, conversation: Conversation): void {
    test(name, async () => await this.converse(conversation));
  }

  /** Holds a conversation in each delivery, all at the same time. */
  async converse(conversation: Conversation): Promise<void> {
    const ways = conversation.ways ?? WAYS;
    const deliveries = ways.flatMap((way) => [
      { way, isGlued: false },
      { way, isGlued: true },
    ]);
    await Promise.all(deliveries.map((delivery) => this.#hold(conversation, delivery)));
  }

  /** A new connection with its handshake done. */
  async call(path = '/echo'): Promise<Caller> {
    const { id, caller } = await this.#connect();
    await caller.client.sendBytes(bytes(requestHead({ path: `${path}/${id}`, headers: this.#headers })));
    await caller.client.handshake();
    return caller;
  }

  async #connect(): Promise<{ id: string; caller: Caller }> {
    this.#calls += 1;
    const id = `call-${this.#calls}`;
    const client = await RawClient.connect(this.port, { sendHead: false, extension: this.#extend() });
    return { id, caller: Object.assign(this.#started().visit(id), { client }) };
  }

  async #hold(conversation: Conversation, { way, isGlued }: Delivery): Promise<void> {
    const { id, caller } = await this.#connect();
    const { client } = caller;
    const head = bytes(requestHead({ path: `/echo/${id}`, headers: this.#headers }));
    const frames = bytes(
      ...conversation.send,
      ...(conversation.close === undefined ? [closeFrame(1000)] : []),
    );
    if (!isGlued) await client.sendBytes(head);
    if (!isGlued) await client.handshake();
    const sent = client.sendSplit(isGlued ? bytes(head, frames) : frames, way);
    if (isGlued) await client.handshake();
    await this.#expectAnswers(
      conversation,
      caller,
      `sent ${nameOfWay(way)}${isGlued ? ', glued to the head' : ''}`,
    );
    await sent;
    client.destroy();
  }

  async #expectAnswers(conversation: Conversation, caller: Caller, delivery: string): Promise<void> {
    const { answers = [], close = 1000 } = conversation;
    const received = await framesUntilClose(caller.client);
    expect(received, delivery).toEqual([...answers, `close ${close}`]);
    expect(await caller.client.ended(), `${delivery}: the server ends TCP first (7.1.1)`).toBe('fin');
    caller.client.fin();
    const isFailure = typeof close === 'number' && close > 1001 && close < 1012;
    const report = await caller.closed;
    expect(report.code, delivery).toBe(close === 'empty' ? 1005 : close);
    const initiator = conversation.initiator ?? (isFailure ? 'server' : 'peer');
    expect(report, delivery).toMatchObject({ initiator, wasClean: initiator === 'peer' });
    const seen = caller.messages.map((each) => (typeof each === 'string' ? text(each) : binary(each)));
    expect(seen, `${delivery}: messages that the server saw`).toEqual(
      answers.filter((answer) => !answer.startsWith('pong')),
    );
  }

  #started(): PortalServer {
    if (this.#server === undefined) throw new Error('the echo server has not been started');
    return this.#server;
  }
}

/** All frames that come, up to the Close and with it, as words. */
export async function framesUntilClose(client: RawClient): Promise<string[]> {
  const received: string[] = [];
  for (;;) {
    const frame = await client.nextFrame();
    if (frame.opcode === OPCODE.close) {
      received.push(`close ${parseClose(frame.payload).code ?? 'empty'}`);
      return received;
    }
    received.push(wordsOf(frame));
  }
}

/** A frame as {@link text}, {@link binary} and {@link pong} write it. */
export function wordsOf(frame: ServerFrame): string {
  const name = Object.entries(OPCODE).find(([, opcode]) => opcode === frame.opcode)?.[0] ?? 'unknown';
  return `${shown(name, frame.payload)}${frame.fin ? '' : ' without FIN'}`;
}

function shown(name: string, payload: Uint8Array): string {
  if (payload.length <= SHOWN_BYTES_MAX) return `${name} ${Buffer.from(payload).toString('latin1')}`;
  return `${name} of ${payload.length} bytes, SHA-1 ${createHash('sha1').update(payload).digest('hex')}`;
}
