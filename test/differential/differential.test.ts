/**
 * Portal beside `ws`: random sequences of frames, right and wrong, are sent to both over real sockets. Both must
 * see the same messages, send the same frames and close with the same code. Where they may differ is listed
 * below, each entry with the sentence of the RFC that decides it; any other difference fails, shrunk by fast-check.
 */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { framesUntilClose, text, wordsOf } from '../conformance/conversation.ts';
import { firstImpossible } from '../conformance/utf8-table.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';
import {
  bytes,
  type FrameFields,
  frame,
  hex,
  OPCODE,
  RawClient,
  requestHead,
} from '../support/raw-client.ts';
import type { Way } from '../support/splits.ts';
import { TIMES } from '../support/times.ts';
import { startWsEchoServer } from './ws-echo-server.ts';

const RUNS = 500 * TIMES;
const SEED = 6455;
const LIMITS = { cap: 1000, maxFragments: 8 };

type SentFrame = Omit<FrameFields, 'payload'> & { payload: Uint8Array };

/** What one server made of a sequence. */
interface Outcome {
  /** The frames that it sent, the code of its Close included. */
  frames: string[];
  /** The messages that its user saw. */
  messages: string[];
}

interface Difference {
  name: string;
  /** The sentence that decides, with its section. */
  rfc: string;
  /** The code of Portal's Close, sent where `ws` goes on, or says another code. */
  portalClose: number;
  /** Whether a sequence holds what the entry is about. */
  applies(sequence: readonly SentFrame[]): boolean;
  /** A sequence for which the two differ. If they no longer do, the entry must go. */
  example: SentFrame[];
}

const data = (opcode: number, payload: string | Uint8Array, rest: Partial<SentFrame> = {}): SentFrame => ({
  opcode,
  payload: bytes(payload),
  ...rest,
});

const DIFFERENCES: readonly Difference[] = [
  {
    name: 'a length in more bytes than needed',
    rfc: '5.2: "Note that in all cases, the minimal number of bytes MUST be used to encode the length"',
    portalClose: 1002,
    applies: (sequence) => sequence.some(isLengthTooLong),
    example: [data(OPCODE.text, 'Hello', { length: { bits: 16 } })],
  },
  {
    name: 'a 64-bit length with its most significant bit set',
    rfc: '5.2: "the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit MUST be 0)"',
    portalClose: 1002,
    applies: (sequence) => sequence.some(({ length }) => BigInt(length?.declared ?? 0) >= 1n << 63n),
    example: [data(OPCODE.binary, '', { length: { declared: 1n << 63n, bits: 64 } })],
  },
  {
    name: 'text that is not UTF-8, before the end of its message',
    rfc:
      '8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in ' +
      'fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_"',
    portalClose: 1007,
    applies: (sequence) => textsOf(sequence).some((payload) => firstImpossible(payload) !== -1),
    example: [data(OPCODE.text, hex('ff'), { fin: false }), data(OPCODE.ping, 'p')],
  },
];

function isLengthTooLong({ payload, length }: SentFrame): boolean {
  const declared = BigInt(length?.declared ?? payload.length);
  return (length?.bits === 16 && declared < 126n) || (length?.bits === 64 && declared < 65_536n);
}

/** The payloads of the text messages in a sequence, finished or not, as far as frames follow the rules. */
function textsOf(sequence: readonly SentFrame[]): Uint8Array[] {
  const texts: Uint8Array[][] = [];
  let current: Uint8Array[] | undefined;
  for (const { opcode, payload, fin = true } of sequence) {
    if (opcode === OPCODE.text) texts.push([]);
    if (opcode === OPCODE.text) current = texts.at(-1);
    if (opcode === OPCODE.binary) current = undefined;
    if (opcode <= OPCODE.binary) current?.push(payload);
    if (opcode <= OPCODE.binary && fin) current = undefined;
  }
  return texts.map((parts) => bytes(...parts));
}

describe('Portal and ws side by side', () => {
  type Portal = Awaited<ReturnType<typeof startEchoServer>>;
  let servers: { portal: Portal; ws: EchoServer<WebSocket> };
  let calls = 0;

  beforeAll(async () => {
    servers = { portal: await startEchoServer(LIMITS), ws: await startWsEchoServer(LIMITS) };
  });
  afterEach(() => RawClient.destroyAll());
  afterAll(async () => {
    await servers.portal.stop();
    await servers.ws.stop();
  });

  async function outcome<P>(
    server: EchoServer<P>,
    sequence: readonly SentFrame[],
    way: Way,
  ): Promise<Outcome> {
    calls += 1;
    const id = `call-${calls}`;
    const client = await RawClient.connect(server.port, { sendHead: false });
    await client.sendBytes(bytes(requestHead({ path: `/echo/${id}` })));
    await client.handshake();
    const visit = server.visit(id);
    await client.sendSplit(bytes(...sequence.map(frame)), way);
    client.fin();
    await client.ended();
    const frames = client.waitingFrames.some(({ opcode }) => opcode === OPCODE.close)
      ? await framesUntilClose(client)
      : client.waitingFrames.map(wordsOf);
    await visit.closed;
    client.destroy();
    const messages = visit.messages.map((each) => (typeof each === 'string' ? text(each) : `${each}`));
    return { frames, messages };
  }

  async function outcomes(
    sequence: readonly SentFrame[],
    way: Way,
  ): Promise<{ portal: Outcome; ws: Outcome }> {
    const [portal, ws] = await Promise.all([
      outcome(servers.portal, sequence, way),
      outcome(servers.ws, sequence, way),
    ]);
    return { portal, ws };
  }

  test('the same messages, the same frames and the same close code, or a difference that is listed', async () => {
    const property = fc.asyncProperty(sequences, ways, async (sequence, way) => {
      const { portal, ws } = await outcomes(sequence, way);
      if (!DIFFERENCES.some((difference) => explains(difference, sequence, portal, ws)))
        expect(portal).toEqual(ws);
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
  });

  for (const difference of DIFFERENCES) {
    test(`listed: ${difference.name} (${difference.rfc})`, async () => {
      const { portal, ws } = await outcomes(difference.example, 'whole');
      expect(portal.frames).toEqual([`close ${difference.portalClose}`]);
      expect(ws.frames).not.toEqual(portal.frames);
      expect(explains(difference, difference.example, portal, ws)).toBe(true);
    });
  }
});

/** Portal said the same as `ws` up to some frame, and then closed as the entry says. */
function explains(
  { applies, portalClose }: Difference,
  sequence: readonly SentFrame[],
  portal: Outcome,
  ws: Outcome,
): boolean {
  const before = portal.frames.slice(0, -1);
  return (
    applies(sequence) &&
    portal.frames.at(-1) === `close ${portalClose}` &&
    before.every((words, i) => words === ws.frames[i]) &&
    portal.messages.every((message, i) => message === ws.messages[i])
  );
}

const ways: fc.Arbitrary<Way> = fc.oneof(
  fc.constant<Way>('whole'),
  fc.constant<Way>('byte-by-byte'),
  fc.record({ seed: fc.nat() }),
);

const texts: fc.Arbitrary<Uint8Array> = fc
  .oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(125, 126, 127, 999, 1000).map((size) => 'x'.repeat(size)) },
  )
  .map((string) => bytes(string))
  .filter(({ length }) => length <= LIMITS.cap);

const masks: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 4, maxLength: 4 });

const controlFrames: fc.Arbitrary<SentFrame> = fc.record({
  opcode: fc.constantFrom<number>(OPCODE.ping, OPCODE.pong),
  payload: fc.uint8Array({ maxLength: 125 }),
  mask: masks,
});

/** A good message, whole or cut anywhere into fragments, with control frames between them. */
const messages: fc.Arbitrary<SentFrame[]> = fc
  .record({
    message: fc.oneof(
      fc.record({ opcode: fc.constant<number>(OPCODE.text), payload: texts }),
      fc.record({ opcode: fc.constant<number>(OPCODE.binary), payload: fc.uint8Array({ maxLength: 200 }) }),
    ),
    mask: masks,
    cuts: fc.oneof(
      fc.constant<number[]>([]),
      fc.array(fc.nat({ max: 200 }), { maxLength: LIMITS.maxFragments - 1 }),
    ),
    between: fc.array(fc.option(controlFrames), { maxLength: 4 }),
  })
  .map(({ message: { opcode, payload }, mask, cuts, between }) => {
    const ends = [...cuts.map((cut) => Math.min(cut, payload.length)).sort((a, b) => a - b), payload.length];
    return ends.flatMap((end, i) => {
      const part = payload.subarray(i === 0 ? 0 : ends[i - 1], end);
      const fin = i === ends.length - 1;
      const each: SentFrame = { opcode: i === 0 ? opcode : OPCODE.continuation, payload: part, fin, mask };
      const control = between[i] ?? null;
      return control === null ? [each] : [each, control];
    });
  });

/** What may go wrong with one frame of a good sequence. */
const faults: fc.Arbitrary<(good: SentFrame) => SentFrame[]> = fc.oneof(
  fc.integer({ min: 1, max: 7 }).map((rsv) => (good: SentFrame) => [{ ...good, rsv }]),
  fc.constant((good: SentFrame) => [{ ...good, mask: false }]),
  fc.nat({ max: 15 }).map((opcode) => (good: SentFrame) => [{ ...good, opcode }]),
  fc.constant((good: SentFrame) => [{ ...good, fin: !(good.fin ?? true) }]),
  fc
    .constantFrom<16 | 64>(16, 64)
    .map((bits) => (good: SentFrame) => [{ ...good, length: good.payload.length > 65_535 ? {} : { bits } }]),
  fc
    .constantFrom('80', 'c0', 'c3', 'e2 82', 'ed a0 80', 'f0 9f 98', 'f4 90', 'ff')
    .map((digits) => (good: SentFrame) => [
      { ...good, payload: bytes(good.payload, hex(digits)), length: {} },
    ]),
  fc
    .constantFrom(126, 1000, 1001, 65_536)
    .map((size) => (good: SentFrame) => [{ ...good, payload: new Uint8Array(size), length: {} }]),
  fc.constant(() => []),
  fc.constant((good: SentFrame) => [good, good]),
  fc.constant((good: SentFrame) => Array.from({ length: 9 }, () => ({ ...good, fin: false }))),
);

const closeFrames: fc.Arbitrary<SentFrame> = fc
  .record({
    code: fc.oneof(
      fc.constantFrom(1000, 1001, 1002, 1007, 1011, 1014, 3000, 4999),
      fc.constantFrom(0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535),
    ),
    reason: fc.oneof(
      fc.constantFrom('', 'bye', 'r'.repeat(123)).map((reason) => bytes(reason)),
      fc.uint8Array(),
    ),
    size: fc.oneof({ weight: 5, arbitrary: fc.constant(125) }, { weight: 1, arbitrary: fc.nat({ max: 3 }) }),
  })
  .map(({ code, reason, size }) => {
    const payload = bytes(Uint8Array.of(code >> 8, code & 0xff), reason).subarray(0, size);
    return { opcode: OPCODE.close, payload };
  });

/** What comes last: nothing, a Close, or a frame of which the rest never comes or is more than may be. */
const ends: fc.Arbitrary<SentFrame[]> = fc.oneof(
  fc.constant<SentFrame[]>([]),
  closeFrames.map((close) => [close]),
  fc
    .record({
      begun: messages.map(([first]) => first ?? data(OPCODE.text, '')),
      more: fc.constantFrom(1n, 100n, 2000n, 1n << 32n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n),
    })
    .map(({ begun, more }) => [{ ...begun, length: { declared: BigInt(begun.payload.length) + more } }]),
);

const sequences: fc.Arbitrary<SentFrame[]> = fc
  .record({
    good: fc.array(
      fc.oneof(
        messages,
        controlFrames.map((each) => [each]),
      ),
      { maxLength: 5 },
    ),
    wrong: fc.array(fc.record({ at: fc.nat(), fault: faults }), { maxLength: 2 }),
    end: ends,
    more: fc.array(messages, { maxLength: 1 }),
  })
  .map(({ good, wrong, end, more }) => {
    const sequence = good.flat();
    for (const { at, fault } of wrong) {
      const i = at % Math.max(1, sequence.length);
      const frame = sequence[i];
      if (frame !== undefined) sequence.splice(i, 1, ...fault(frame));
    }
    return end.length === 1 && end[0]?.length !== undefined
      ? [...sequence, ...end]
      : [...sequence, ...end, ...more.flat()];
  });
