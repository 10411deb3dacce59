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
import { startWsEchoServer } from './ws-echo-server.ts';

const RUNS = 500;
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
  }, 60_000);

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

const payloads: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 20 }).map((string) => bytes(string)) },
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((string) => bytes(string)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 20 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('c3', 'a9', 'e2 82', 'ac', 'f0 9f', '98 80', 'ed a0', 'f4 90', 'c0').map(hex),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(125, 126, 127, 300, 999, 1000, 1001).map((size) => bytes('x'.repeat(size))),
  },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536).map((size) => new Uint8Array(size)) },
);

const closePayloads: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999),
      fc.constantFrom(0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535),
      fc.nat({ max: 65_535 }),
    ),
    fc.oneof(fc.constant(bytes('')), fc.constant(bytes('bye')), payloads),
    fc.nat({ max: 5 }),
  )
  .map(([code, reason, cut]) => {
    const whole = bytes(Uint8Array.of(code >> 8, code & 0xff), reason);
    return cut < 2 ? whole.subarray(0, cut) : whole;
  });

const often = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 14, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );

const dataFrames: fc.Arbitrary<SentFrame> = fc
  .record({
    opcode: fc.constantFrom<number>(OPCODE.text, OPCODE.binary),
    payload: payloads,
    rsv: often(0, 1, 2, 4, 7),
    mask: fc.oneof(
      { weight: 12, arbitrary: fc.uint8Array({ minLength: 4, maxLength: 4 }) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
    length: fc.oneof(
      { weight: 14, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.constantFrom<FrameFields['length'] & object>({ bits: 16 }, { bits: 64 }) },
    ),
  })
  .map((fields) => (fields.payload.length > 65_535 ? { ...fields, length: {} } : fields));

const controlFrames: fc.Arbitrary<SentFrame> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ opcode: fc.constantFrom<number>(OPCODE.ping, OPCODE.pong), payload: payloads }),
  },
  { weight: 1, arbitrary: fc.record({ opcode: fc.constant(OPCODE.close), payload: closePayloads }) },
  {
    weight: 1,
    arbitrary: fc.record({
      opcode: fc.constantFrom(0x3, 0x7, 0xb, 0xf, 0x9, 0x8),
      payload: payloads,
      fin: fc.boolean(),
    }),
  },
);

/** A message in fragments, each cut anywhere, with control frames between. */
const messages: fc.Arbitrary<SentFrame[]> = fc
  .tuple(
    dataFrames,
    fc.array(fc.tuple(payloads, fc.option(controlFrames)), { maxLength: 10 }),
    fc.nat({ max: 9 }),
  )
  .map(([first, rest, slip]) => {
    if (rest.length === 0) return [first];
    const frames: SentFrame[] = [{ ...first, fin: false }];
    for (const [i, [payload, control]] of rest.entries()) {
      if (control !== null) frames.push(control);
      const isLast = i === rest.length - 1 && slip !== 0;
      frames.push({ opcode: slip === 1 ? first.opcode : OPCODE.continuation, payload, fin: isLast });
    }
    return frames;
  });

/** What may stand alone at the end: a frame of which the rest never comes, or a length that is out of bounds. */
const tails: fc.Arbitrary<SentFrame[]> = fc.oneof(
  fc.constant<SentFrame[]>([]),
  fc.record({ opcode: fc.constant(OPCODE.close), payload: closePayloads }).map((close) => [close]),
  fc
    .tuple(dataFrames, fc.constantFrom(1n, 100n, 2000n, 1n << 32n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n))
    .map(([each, more]) => [{ ...each, length: { declared: BigInt(each.payload.length) + more } }]),
);

const sequences: fc.Arbitrary<SentFrame[]> = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: messages },
        { weight: 1, arbitrary: controlFrames.map((each) => [each]) },
      ),
      {
        maxLength: 6,
      },
    ),
    tails,
  )
  .map(([runs, tail]) => [...runs.flat(), ...tail]);
