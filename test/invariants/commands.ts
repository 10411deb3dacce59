/**
 * The commands of the invariants, and the model beside them: what the client has put on the wire so far, and which
 * messages that makes.
 */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { deflated, TAIL } from '../support/deflate-peer.ts';
import { bytes, closeFrame, frame, hex, OPCODE, pingFrame, pongFrame } from '../support/raw-client.ts';
import { check } from './invariants.ts';
import { CAP, type Doing, MAX_FRAGMENTS, nameOfMessage, type World } from './world.ts';

/** What the client has said. */
export class Said {
  /** Every message that was said completely and validly, in order. */
  readonly messages: string[] = [];
  readonly pings: string[] = [];
  /** Nothing that is said from here on may be delivered: a Close, a violation, an end. */
  isOver = false;
  /** Bytes of a frame that are held back, to go with the next. */
  held: Uint8Array = new Uint8Array(0);
  /** What is said when the last bytes of the last frame are written. */
  readonly #unsaid: (() => void)[] = [];
  #fragments: { opcode: number; parts: readonly Uint8Array[]; compressed: boolean } | undefined;

  /** A data frame; the limits are what the server was given (10.4), and about the payload before it is compressed. */
  data(opcode: number, fin: boolean, payload: Uint8Array, compressed = false): void {
    if (this.isOver) return;
    const isFirst = opcode !== OPCODE.continuation;
    const { opcode: kind, parts } = this.#fragments ?? { opcode, parts: [] };
    const all = [...parts, payload];
    const whole = Buffer.concat(all);
    const isBroken = kind === OPCODE.text && !isTextSoFar(whole, fin);
    const isTooMuch = whole.length > CAP || ((!isFirst || !fin) && all.length > MAX_FRAGMENTS);
    // 5.4: a message is finished before the next begins.
    if (isFirst === (this.#fragments !== undefined) || isTooMuch || isBroken) {
      this.over();
      return;
    }
    this.#fragments = fin ? undefined : { opcode: kind, parts: all, compressed };
    const message = nameOfMessage(kind === OPCODE.text ? whole.toString() : whole);
    if (fin) this.#unsaid.push(() => this.messages.push(message));
  }

  /** Inside a fragmented message. */
  get isFragmenting(): boolean {
    return this.#fragments !== undefined;
  }

  /** Inside a fragmented message that is compressed. */
  get isCompressing(): boolean {
    return this.#fragments?.compressed === true;
  }

  ping(payload: string): void {
    if (!this.isOver) this.#unsaid.push(() => this.pings.push(payload));
  }

  over(): void {
    this.isOver = true;
  }

  /** The bytes of the last frame are written, all of them. */
  complete(): void {
    for (const say of this.#unsaid.splice(0)) say();
  }
}

/** The client's answer to our Close (5.5.1), once, when this client gives one. */
export async function answer(said: Said, world: World): Promise<void> {
  if (!world.setting.answers || world.wire.close === undefined || said.isOver) return;
  // A frame that was held back goes first: the Close would be part of it.
  say(said, world, closeFrame(1000), 0, () => said.over());
  await world.settle();
}

/** One command: what it does, and its name in a counterexample. */
class Step implements fc.AsyncCommand<Said, World> {
  readonly #name: string;
  readonly #act: (said: Said, world: World) => unknown;
  readonly #fits: (said: Said) => boolean;

  constructor(
    name: string,
    act: (said: Said, world: World) => unknown,
    fits: (said: Said) => boolean = () => true,
  ) {
    this.#name = name;
    this.#act = act;
    this.#fits = fits;
  }

  check(said: Readonly<Said>): boolean {
    return this.#fits(said as Said);
  }

  async run(said: Said, world: World): Promise<void> {
    await this.#act(said, world);
    world.bystander?.say();
    await world.settle();
    await answer(said, world);
    check(said, world);
  }

  toString(): string {
    return this.#name;
  }
}

/** Whether bytes are UTF-8, or the beginning of some (8.1). */
function isTextSoFar(whole: Uint8Array, isAll: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(whole, { stream: !isAll });
    return true;
  } catch {
    return false;
  }
}

/** How much of a frame is held back, to go with the next one: bytes of its end, or all of it and what is held already. */
type Cut = number | 'all';

/** Writes what was held back and a frame, as far as it is not held back itself; `note` says what the frame says. */
function say(
  said: Said,
  world: World,
  frameBytes: Uint8Array,
  cut: Cut,
  note: () => void = () => undefined,
): void {
  const all = bytes(said.held, frameBytes);
  const kept = cut === 'all' ? all.length : Math.min(cut, frameBytes.length);
  if (cut !== 'all') said.complete();
  note();
  said.held = all.slice(all.length - kept);
  world.write(all.subarray(0, all.length - kept));
  if (kept === 0) said.complete();
}

/** Characters in pieces, whole ones again when they come together in the right order, and one byte that never is one. */
const SHARDS = ['c3', '9f', 'f09f', '9296', 'ff'].map((digits) => hex(digits));
const payloads = fc.oneof(
  { weight: 20, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => bytes(text)) },
  { weight: 2, arbitrary: fc.constantFrom(...SHARDS) },
  { weight: 2, arbitrary: fc.constantFrom(CAP / 2, CAP).map((size) => new Uint8Array(size).fill(0x7a)) },
);
/** Mostly whole frames; some lack their last bytes until the next is written, some wait for it to come in one piece. */
const cuts: fc.Arbitrary<Cut> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.constant('all' as const) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 9 }) },
);

const KINDS = {
  text: [OPCODE.text, true],
  binary: [OPCODE.binary, true],
  'begin of a text': [OPCODE.text, false],
  'begin of a binary': [OPCODE.binary, false],
  more: [OPCODE.continuation, false],
  end: [OPCODE.continuation, true],
} as const;

/** Data frames in an order that is right; what is not is among the bad frames. */
const dataFrame = fc
  .record({
    kind: fc.constantFrom(...(Object.keys(KINDS) as (keyof typeof KINDS)[])),
    payload: payloads,
    cut: cuts,
    mask: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    compress: fc.boolean(),
  })
  .map(({ kind, payload, cut, mask, compress }) => {
    const [opcode, fin] = KINDS[kind];
    const act = (said: Said, world: World): void => {
      const isFirst = opcode !== OPCODE.continuation;
      const compressed = isFirst ? compress && world.setting.deflate !== undefined : said.isCompressing;
      const sent = compressed ? deflatedPiece(payload, fin) : payload;
      const rsv = compressed && isFirst ? RSV1 : 0;
      say(said, world, frame({ opcode, fin, rsv, payload: sent, mask }), cut, () =>
        said.data(opcode, fin, payload, compressed),
      );
    };
    const how = `${compress ? ', compressed if it may be' : ''}${cut === 0 ? '' : `, ${cut} held back`}`;
    const name = `client: ${kind} of ${payload.length} bytes${how}`;
    return new Step(name, act, (said) => said.isFragmenting === (opcode === OPCODE.continuation));
  });

const RSV1 = 4;

/** A frame of a compressed message, which can be inflated when it comes (RFC 7692 7.2.1). */
function deflatedPiece(payload: Uint8Array, fin: boolean): Uint8Array {
  const whole = deflated(payload);
  return fin ? whole : bytes(whole, TAIL);
}

const BAD_FRAMES = {
  'a reserved bit': frame({ opcode: OPCODE.text, rsv: 2, payload: 'x' }),
  'RSV1 on a ping': pingFrame('', { rsv: RSV1 }),
  'what cannot be inflated': frame({ opcode: OPCODE.text, rsv: RSV1, payload: hex('ffffff') }),
  'no mask': frame({ opcode: OPCODE.text, mask: false, payload: 'x' }),
  'opcode 3': frame({ opcode: 3 }),
  'a text that is no UTF-8': frame({ opcode: OPCODE.text, payload: Uint8Array.of(0xc3, 0x28) }),
  'a Close of one byte': frame({ opcode: OPCODE.close, payload: Uint8Array.of(3) }),
  'a Close with 1005': closeFrame(1005),
  'a message over the cap': frame({ opcode: OPCODE.binary, payload: new Uint8Array(CAP + 1) }),
  'a Close and a message': bytes(closeFrame(1000), frame({ opcode: OPCODE.text, payload: 'late' })),
  'a long ping': frame({ opcode: OPCODE.ping, payload: new Uint8Array(126) }),
};

/** 5.4: a message inside a fragmented one, or the continuation of none. */
const outOfOrder = new Step('client: a frame out of order', (said, world) => {
  const opcode = said.isFragmenting ? OPCODE.text : OPCODE.continuation;
  say(said, world, frame({ opcode }), 0, () => said.over());
});

const controlFrame = fc.oneof(
  fc.tuple(fc.string({ unit: 'binary-ascii', maxLength: 5 }), cuts).map(
    ([payload, cut]) =>
      new Step(`client: ping ${JSON.stringify(payload)}`, (said, world) => {
        say(said, world, pingFrame(payload), cut, () => said.ping(payload));
      }),
  ),
  fc.constant(new Step('client: pong', (said, world) => say(said, world, pongFrame('p'), 0))),
);

const clientEnds = fc.oneof(
  fc.constantFrom(1000, 3999, undefined).map(
    (code) =>
      new Step(`client: close ${code}`, (said, world) => {
        say(said, world, closeFrame(code), 0, () => said.over());
      }),
  ),
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(...Object.entries(BAD_FRAMES))
      .map(
        ([name, bad]) =>
          new Step(`client: ${name}`, (said, world) => say(said, world, bad, 0, () => said.over())),
      ),
  },
  fc.constant(outOfOrder),
  fc.constant(
    new Step('client: FIN', (said, world) => {
      said.over();
      world.fin();
    }),
  ),
  fc.constant(
    new Step('client: RST', (said, world) => {
      said.over();
      world.reset();
    }),
  ),
);

const clientFlow = fc
  .boolean()
  .map(
    (paused) =>
      new Step(`client: ${paused ? 'reads no more' : 'reads on'}`, (_, world) => world.pausePeer(paused)),
  );

const userSends = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 5, 130, 900), fc.constantFrom(undefined, undefined, true, false))
      .map(
        ([size, compress]) =>
          new Step(`user: send ${size}, compress: ${compress}`, (_, world) => world.send(size, compress)),
      ),
  },
  fc
    .tuple(fc.nat(3), fc.boolean(), fc.boolean())
    .map(
      ([pieces, fails, compress]) =>
        new Step(
          `user: send ${pieces} fragments, compress: ${compress}${fails ? ', and fail' : ''}`,
          (_, world) => world.sendFragments(pieces, fails, compress),
        ),
    ),
  fc.constant(new Step('user: ping', (_, world) => world.connection.sendPing('u'))),
  {
    weight: 2,
    arbitrary: fc.constant(
      new Step('user: send and await drained', (_, world) => {
        world.send(500);
        world.track('drained', world.connection.drained());
      }),
    ),
  },
);

const userReads = fc.oneof(
  fc
    .constantFrom<Doing>('send', 'send', 'wait', 'throw', 'pause', 'close', 'terminate')
    .map(
      (doing) =>
        new Step(`user: the next message’s handler will ${doing}`, (_, world) => world.doings.push(doing)),
    ),
  fc.constantFrom('close', 'continue', 'retry').map(
    (decision) =>
      new Step(`user: onError will ${decision}`, (_, world) => {
        world.decision = decision as World['decision'];
      }),
  ),
  fc
    .boolean()
    .map(
      (fails) =>
        new Step(`user: a handler’s promise ${fails ? 'rejects' : 'resolves'}`, (_, world) =>
          world.settleHandler(fails),
        ),
    ),
  fc.boolean().map(
    (paused) =>
      new Step(`user: ${paused ? 'pause' : 'resume'}`, (_, world) => {
        world.isPaused = paused;
        if (paused) world.connection.pause();
        else world.connection.resume();
      }),
  ),
  fc.constant(new Step('user: iterate', (_, world) => world.iterate())),
);

const userEnds = fc.oneof(
  fc.constantFrom(1000, 1011, 4999).map(
    (code) =>
      new Step(`user: close ${code}`, (_, world) => {
        world.isPaused = false;
        world.connection.close(code, 'bye');
      }),
  ),
  fc.constant(new Step('user: terminate', (_, world) => world.connection.terminate())),
);

/** Time passes; mostly the client gives a sign of life afterwards. */
const time = fc.tuple(fc.constantFrom(60, 60, 5_100, 21_000, 31_000), fc.nat(9)).map(
  ([ms, silent]) =>
    new Step(`${ms} ms pass`, async (said, world) => {
      world.clock.advance(Math.min(ms, 19_000));
      if (silent > 0) say(said, world, pongFrame(), 0);
      await world.settle();
      if (ms > 19_000) world.clock.advance(ms - 19_000);
    }),
);

const times = <T>(count: number, each: T): T[] => new Array<T>(count).fill(each);

/** Sequences of commands; ends are rare, so that something happens before them. */
export const sequences = fc.commands(
  [
    ...times(40, dataFrame),
    ...times(8, controlFrame),
    ...times(4, clientFlow),
    ...times(9, userSends),
    ...times(10, userReads),
    time,
    fc.oneof(clientEnds, userEnds),
  ],
  { maxCommands: 50, size: 'max' },
);
