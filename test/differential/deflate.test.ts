/**
 * Portal beside `ws`, both with permessage-deflate: random messages, compressed with random parameters and cut anywhere. Both
 * must see the same messages, and what they send must inflate to the same, by one window for the whole connection. zlib
 * itself has compressed what they read.
 */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import type { Connection } from '../../src/index.ts';
import { deflated, PersistentPeer } from '../support/deflate-peer.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';
import {
  bytes,
  closeFrame,
  frame,
  hex,
  OPCODE,
  parseClose,
  pingFrame,
  RawClient,
} from '../support/raw-client.ts';
import type { Way } from '../support/splits.ts';
import { TIMES } from '../support/times.ts';
import { startWsEchoServer } from './ws-echo-server.ts';

const RUNS = 40 * TIMES;
const CAP = 300_000;
const RSV1 = 4;

interface Message {
  readonly isText: boolean;
  readonly payload: Uint8Array;
  /** How it is compressed; undefined: not at all. */
  readonly by: { level: number; memLevel: number; windowBits: number; strategy: number } | undefined;
  /** Where its bytes are cut into fragments, in thousandths, and whether a Ping is in between. */
  readonly cuts: readonly number[];
  readonly pings: boolean;
}

const payloads = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => bytes(text)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.integer({ min: 1, max: 3000 }))
      .map(([text, times]) => bytes(text.repeat(times))),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(125, 126, 65_535, 65_536, CAP).map((size) => bytes('x'.repeat(size))),
  },
  { weight: 1, arbitrary: fc.constant(bytes('x'.repeat(CAP + 1))) },
);

const parameters = fc.record({
  level: fc.nat(9),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  strategy: fc.nat(4),
});

const messages: fc.Arbitrary<Message> = fc.record({
  isText: fc.boolean(),
  payload: payloads,
  by: fc.option(parameters, { nil: undefined, freq: 5 }),
  cuts: fc.oneof(fc.constant<number[]>([]), fc.array(fc.nat(1000), { maxLength: 4 })),
  pings: fc.boolean(),
});

/** What may be wrong with the last message. */
const WRONG = {
  'bytes that are not deflate': [frame({ opcode: OPCODE.text, rsv: RSV1, payload: hex('ff ff ff') })],
  'text that is not UTF-8': [frame({ opcode: OPCODE.text, rsv: RSV1, payload: deflated(hex('61 ff 62')) })],
  'RSV1 on a Ping': [pingFrame('', { rsv: RSV1 })],
  RSV2: [frame({ opcode: OPCODE.text, rsv: 2, payload: 'x' })],
  'RSV1 on a continuation': [
    frame({ opcode: OPCODE.text, rsv: RSV1, fin: false, payload: hex('f2 48 cd') }),
    frame({ opcode: OPCODE.continuation, rsv: RSV1, payload: hex('c9 c9 07 00') }),
  ],
  nothing: [closeFrame(1000)],
} as const;

const offers = fc
  .record({
    forgets: fc.boolean(),
    bits: fc.option(fc.integer({ min: 9, max: 15 }), { nil: undefined }),
    tells: fc.boolean(),
  })
  .map(({ forgets, bits, tells }) => ({
    offer: [
      'permessage-deflate; client_no_context_takeover',
      ...(forgets ? ['server_no_context_takeover'] : []),
      ...(bits === undefined ? [] : [`server_max_window_bits=${bits}`]),
      ...(tells ? ['client_max_window_bits'] : []),
    ].join('; '),
    forgets,
    bits: bits ?? 15,
  }));

const ways: fc.Arbitrary<Way> = fc.oneof(fc.constant<Way>('whole'), fc.record({ seed: fc.nat() }));

function framesOf({ isText, payload, by, cuts, pings }: Message): Uint8Array[] {
  const whole = by === undefined ? payload : deflated(payload, by);
  const ends = [
    ...cuts.map((cut) => Math.floor((cut * whole.length) / 1000)).sort((a, b) => a - b),
    whole.length,
  ];
  return ends.flatMap((end, i) => {
    const part = frame({
      opcode: i > 0 ? OPCODE.continuation : isText ? OPCODE.text : OPCODE.binary,
      rsv: i === 0 && by !== undefined ? RSV1 : 0,
      fin: i === ends.length - 1,
      payload: whole.subarray(i === 0 ? 0 : ends[i - 1], end),
    });
    return pings ? [pingFrame('p'), part] : [part];
  });
}

describe.each(['shared', 'contexts'] as const)('Portal, mode %s, and ws side by side', (mode) => {
  let portal: EchoServer<Connection>;
  let ws: EchoServer<WebSocket>;
  let calls = 0;

  beforeAll(async () => {
    portal = await startEchoServer({ cap: CAP, perMessageDeflate: { mode, threshold: 1 } });
    ws = await startWsEchoServer({ cap: CAP, compresses: true });
  });
  afterEach(() => RawClient.destroyAll());
  afterAll(async () => {
    await portal.stop();
    await ws.stop();
  });

  /** What a server saw and sent, up to its Close. */
  async function outcome<P>(
    server: EchoServer<P>,
    offer: string,
    peer: PersistentPeer,
    sent: Uint8Array,
    way: Way,
  ) {
    calls += 1;
    const id = `call-${calls}`;
    const headers = { 'Sec-WebSocket-Extensions': offer };
    const client = await RawClient.connect(server.port, { path: `/echo/${id}`, headers, extension: peer });
    await client.handshake();
    const sending = client.sendSplit(sent, way);
    const answers: string[] = [];
    let whole = '';
    for (let close = ''; close === ''; ) {
      const { opcode, fin, payload } = await client.nextFrame();
      if (opcode === OPCODE.close) close = `close ${parseClose(payload).code}`;
      else if (opcode < OPCODE.close)
        whole += `${opcode > 0 ? `${opcode} ` : ''}${Buffer.from(payload).toString('latin1')}`;
      if (close !== '') answers.push(close);
      else if (opcode < OPCODE.close && fin) answers.push(whole);
      if (fin && opcode < OPCODE.close) whole = '';
    }
    await client.ended();
    await sending;
    client.destroy();
    await server.visit(id).closed;
    const seen = server
      .visit(id)
      .messages.map((message) => Buffer.from(message as string).toString('latin1'));
    return { answers, seen, compressed: peer.messages > 0 };
  }

  test('see the same, send the same, and close alike', async () => {
    const endings = fc.constantFrom(...(Object.keys(WRONG) as (keyof typeof WRONG)[]));
    await fc.assert(
      fc.asyncProperty(
        fc.array(messages, { maxLength: 5 }),
        endings,
        offers,
        ways,
        async (all, ending, terms, way) => {
          const sent = bytes(...all.flatMap(framesOf), ...WRONG[ending]);
          const peer = () => new PersistentPeer(terms.bits, terms.forgets);
          const [one, two] = await Promise.all([
            outcome(portal, terms.offer, peer(), sent, way),
            outcome(ws, terms.offer, peer(), sent, way),
          ]);
          expect(one.seen).toEqual(two.seen);
          expect(one.answers.at(-1)).toBe(two.answers.at(-1));
          // Who fails a connection drops what still waits to be compressed: ws in its threads, Portal in slices.
          const [shorter, longer] = [one, two]
            .map(({ answers }) => answers.slice(0, -1))
            .sort((a, b) => a.length - b.length) as [string[], string[]];
          expect(longer.slice(0, shorter.length)).toEqual(shorter);
          if (one.answers.at(-1) === 'close 1000') expect(shorter).toHaveLength(one.seen.length);
        },
      ),
      { seed: 7692, numRuns: RUNS, endOnFailure: true },
    );
  });
});
