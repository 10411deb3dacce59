// The rest of a fragmented message after our own Close: it is read and delivered until the peer's Close, the deadline
// or a fault ends it. RFC 6455 5.5.1: an endpoint "MAY send the remaining fragments before sending a Close frame".

import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, test } from 'vitest';
import { type CloseReport, type Connection, createServer, type Server } from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import {
  closeFrame,
  continuationFrame,
  frame,
  nameOfFrame,
  OPCODE,
  pingFrame,
  RawClient,
} from '../support/raw-client.ts';
import { TappedListener } from '../support/tapped-listener.ts';

const CAP = 64;
const CLOSE_DEADLINE_MS = 5_000;
/** A message whose bytes are text and binary alike; the fragments cut a character in two. */
const PARTS = [Buffer.from('Grü'), Buffer.from([0xc3]), Buffer.from([0x9f, 0x65])];
const WHOLE = Buffer.concat(PARTS);

class Scene {
  readonly messages: (string | Uint8Array)[] = [];
  readonly states: string[] = [];
  readonly errors: unknown[] = [];
  readonly clock: ManualClock;
  readonly client: RawClient;
  readonly closed: Promise<CloseReport>;
  readonly #server: Server;
  readonly #listener: TappedListener;
  #connection: Connection | undefined;
  #sentBytes = 0;

  private constructor(server: Server, listener: TappedListener, client: RawClient, clock: ManualClock) {
    this.#server = server;
    this.#listener = listener;
    this.client = client;
    this.clock = clock;
    this.closed = new Promise((resolve) => {
      server.path('/', {
        onMessage: (_, message) => void this.messages.push(message),
        onClose: (_, report) => resolve(report),
        onError: (_, error) => void this.errors.push(error),
      });
    });
    server.connections$.subscribe((connection) => {
      this.#connection = connection;
      connection.state$.subscribe((state) => this.states.push(state));
    });
  }

  /** A connection in the midst of a message of that kind, with our Close out and read by the peer. */
  static async closingAmid(opcode: number): Promise<Scene> {
    const clock = new ManualClock();
    const listener = new TappedListener();
    const server = createServer({ port: 0, listener, clock, cap: CAP, closeDeadline: CLOSE_DEADLINE_MS });
    await server.start();
    const client = await RawClient.connect(server.address()?.port ?? 0, { sendHead: false });
    const scene = new Scene(server, listener, client, clock);
    await client.sendBytes(Buffer.from(HEAD));
    await client.handshake();
    scene.#sentBytes = HEAD.length;
    await scene.send(frame({ opcode, fin: false, payload: PARTS[0] as Buffer }));
    expect(scene.states).toEqual(['open', 'fragmenting']);
    scene.#connection?.close(3002, 'ours');
    expect(nameOfFrame(await client.nextFrame())).toBe('close 3002 "ours"');
    expect(scene.states).toEqual(['open', 'fragmenting', 'closing']);
    expect(scene.#connection?.actor.getSnapshot().value).toEqual({ closing: { local: 'fragmenting' } });
    return scene;
  }

  /** Sends frames and waits until the server has handled them. */
  async send(...frames: Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(frames);
    this.#sentBytes += bytes.length;
    await this.client.sendBytes(bytes);
    const tap = this.#listener.taps[0];
    await tap?.until('what was sent', () => tap.receivedBytes === this.#sentBytes);
  }

  /** The end of the scene: the report, with no frame after our Close, and the end of TCP as given. */
  async end(): Promise<CloseReport> {
    const report = await this.closed;
    await this.client.ended();
    expect(this.client.waitingFrames).toEqual([]);
    expect(this.states.slice(3)).toEqual(['closed']);
    expect(this.#connection?.bufferedAmount).toBe(0);
    return report;
  }

  async stop(): Promise<void> {
    this.client.destroy();
    const stopped = this.#server.stop();
    this.clock.advance(2 * CLOSE_DEADLINE_MS);
    await stopped;
  }
}

const HEAD = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '',
  '',
].join('\r\n');

const REST = [
  continuationFrame(PARTS[1] as Buffer, { fin: false }),
  continuationFrame(PARTS[2] as Buffer),
] as const;

let scene: Scene;
afterEach(async () => await scene.stop());

describe.each([
  ['text', OPCODE.text, WHOLE.toString()],
  ['binary', OPCODE.binary, new Uint8Array(WHOLE)],
] as const)('we close amid a %s message', (kind, opcode, message) => {
  test('its rest comes in time: the message is delivered, then the peer’s Close makes it clean (7.1.4)', async () => {
    scene = await Scene.closingAmid(opcode);
    await scene.send(...REST);
    expect(scene.messages).toEqual([message]);
    await scene.send(closeFrame(3002));
    expect(await scene.client.ended()).toBe('fin');
    scene.client.fin();
    expect(await scene.end()).toEqual({ code: 3002, reason: '', wasClean: true, initiator: 'server' });
    expect(scene.errors).toEqual([]);
  });

  test('with pings between the fragments: no Pong goes out behind our Close, and the message is whole (5.5.1)', async () => {
    scene = await Scene.closingAmid(opcode);
    await scene.send(pingFrame('a'), REST[0], pingFrame('b'));
    expect(scene.messages).toEqual([]);
    await scene.send(REST[1], pingFrame('c'), closeFrame(1000));
    expect(scene.messages).toEqual([message]);
    scene.client.fin();
    expect(await scene.end()).toMatchObject({ code: 1000, wasClean: true, initiator: 'server' });
  });

  test('another message follows in fragments and is delivered as well', async () => {
    scene = await Scene.closingAmid(opcode);
    const again = frame({ opcode, fin: false, payload: PARTS[0] as Buffer });
    await scene.send(...REST, again, ...REST, closeFrame(1000));
    expect(scene.messages).toEqual([message, message]);
    scene.client.fin();
    expect(await scene.end()).toMatchObject({ code: 1000, wasClean: true, initiator: 'server' });
  });

  test('its rest does not come in time: closeDeadline ends it, and nothing was delivered', async () => {
    scene = await Scene.closingAmid(opcode);
    await scene.send(REST[0]);
    scene.clock.advance(CLOSE_DEADLINE_MS - 1);
    expect(scene.states).not.toContain('closed');
    scene.clock.advance(200);
    expect(await scene.end()).toEqual({
      code: 1006,
      reason: 'close deadline passed',
      wasClean: false,
      initiator: 'server',
    });
    expect(scene.messages).toEqual([]);
  });

  test('fragments that trickle in do not put closeDeadline off', async () => {
    scene = await Scene.closingAmid(opcode);
    for (let step = 0; step < 9; step += 1) {
      await scene.send(continuationFrame('.', { fin: false }));
      scene.clock.advance(CLOSE_DEADLINE_MS / 10);
    }
    expect(scene.states).not.toContain('closed');
    scene.clock.advance(CLOSE_DEADLINE_MS / 5);
    expect((await scene.end()).reason).toBe('close deadline passed');
  });

  test(`its rest is not valid ${kind === 'text' ? 'UTF-8 (8.1)' : 'WebSocket (5.2)'}: failed, with no second Close`, async () => {
    scene = await Scene.closingAmid(opcode);
    const bad =
      kind === 'text' ? continuationFrame(Uint8Array.of(0xc3, 0x28)) : continuationFrame('x', { rsv: 1 });
    await scene.send(bad);
    expect(await scene.client.ended()).toBe('fin');
    scene.client.fin();
    const report = await scene.end();
    expect(report).toMatchObject({
      code: kind === 'text' ? 1007 : 1002,
      wasClean: false,
      initiator: 'server',
    });
    expect(scene.messages).toEqual([]);
    expect(scene.errors).toMatchObject([{ code: 'ERR_PROTOCOL', closeCode: report.code }]);
  });

  test('the peer’s Close comes before the rest: clean, and the message is never delivered (5.5.1)', async () => {
    scene = await Scene.closingAmid(opcode);
    await scene.send(REST[0], closeFrame(3002, 'theirs'), REST[1]);
    expect(await scene.client.ended()).toBe('fin');
    scene.client.fin();
    expect(await scene.end()).toEqual({ code: 3002, reason: 'theirs', wasClean: true, initiator: 'server' });
    expect(scene.messages).toEqual([]);
  });

  test('its rest is oversize: failed with 1009, with no second Close (10.4)', async () => {
    scene = await Scene.closingAmid(opcode);
    await scene.send(continuationFrame(new Uint8Array(CAP)));
    expect(await scene.client.ended()).toBe('fin');
    scene.client.fin();
    expect(await scene.end()).toMatchObject({ code: 1009, wasClean: false, initiator: 'server' });
    expect(scene.messages).toEqual([]);
    expect(scene.errors).toMatchObject([{ code: 'ERR_LIMIT', closeCode: 1009 }]);
  });

  test('the peer ends TCP in its midst: lost, and not clean (7.1.5)', async () => {
    scene = await Scene.closingAmid(opcode);
    await scene.send(REST[0]);
    scene.client.fin();
    expect(await scene.end()).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'server' });
    expect(scene.messages).toEqual([]);
  });

  test('the peer resets TCP in its midst: lost, and not clean (7.1.5)', async () => {
    scene = await Scene.closingAmid(opcode);
    scene.client.reset();
    expect(await scene.end()).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'server' });
    expect(scene.messages).toEqual([]);
  });
});
