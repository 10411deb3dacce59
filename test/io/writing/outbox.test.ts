import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeClosePayload } from '../../../src/io/frames/close-payload.ts';
import { BINARY, CONTINUATION, PING, PONG, TEXT } from '../../../src/io/frames/frame-encoder.ts';
import { encodeMessage, formOf } from '../../../src/io/writing/encoded-message.ts';
import { Outbox } from '../../../src/io/writing/outbox.ts';
import type { OutboxLimits, SendResult } from '../../../src/io/writing/outbox-ports.ts';
import { WriteTurn } from '../../../src/io/writing/write-turn.ts';
import { FakeTransport } from '../../support/fake-transport.ts';

const LIMITS: OutboxLimits = { sendLimit: 1_048_576, overflow: 'close', maxPendingPongs: 64 };

let tasks: (() => void)[];
let turn: WriteTurn;

beforeEach(() => {
  tasks = [];
  turn = new WriteTurn((task) => tasks.push(task));
});

/** Runs what waits for the running callback to return. */
function settle(): void {
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
}

class Line {
  readonly transport = new FakeTransport();
  readonly told: string[] = [];
  readonly outbox: Outbox;

  constructor(limits: Partial<OutboxLimits> = {}) {
    this.outbox = new Outbox(this.transport, { ...LIMITS, ...limits }, turn, {
      onWaiting: () => this.told.push('waiting'),
      onQueued: () => this.told.push('queued'),
      encodeNow() {},
      onSliced: (message) =>
        message.begin(
          (work) => tasks.push(() => work.onTurn()),
          () => {},
        ),
      onOverflow: () => this.told.push('overflow'),
      onTooLarge: ({ message }) => this.told.push(message),
      onDrained: () => this.told.push('drained'),
      onBroken: (error) => this.told.push(`broken: ${error}`),
    });
    this.transport.onDrain = () => this.outbox.onDrain();
  }

  get frames(): string[] {
    settle();
    return this.transport.frames;
  }

  /** Makes the peer stop reading: `first` is on its way and waits. */
  stick(): this {
    this.transport.takes = false;
    this.outbox.text('first');
    settle();
    expect(this.outbox.waiting).toBe(true);
    this.told.length = 0;
    return this;
  }
}

/** The next fragment of a message; the first one takes its place. */
function fragment(outbox: Outbox, opcode: number, bytes: Uint8Array, final: boolean): SendResult {
  const place = opcode === CONTINUATION ? outbox.unfinished : outbox.reserve();
  return place === undefined ? 'closed' : outbox.fragment(place, opcode, bytes, final);
}

const payload = (text: string) => Buffer.from(text);
const big = (letter: string, bytes: number) => new Uint8Array(bytes).fill(letter.charCodeAt(0));

describe('one write a turn', () => {
  test('frames of a turn leave together when it ends', () => {
    const { outbox, transport } = new Line();
    turn.begin();
    const results = [
      outbox.text('a'),
      outbox.binary(payload('b')),
      outbox.control(PONG, payload('c')),
      outbox.text(''),
    ];
    expect([results, transport.writes]).toEqual([['sent', 'sent', true, 'sent'], []]);
    expect(outbox.bufferedAmount).toBe(3 + 3 + 3 + 2);
    turn.end();
    expect(transport.writes).toEqual([11]);
    expect(transport.frames).toEqual(['text a', 'binary b', 'pong c', 'text']);
    expect(outbox.bufferedAmount).toBe(0);
  });

  test('outside of a turn they leave together when the running callback has returned', () => {
    const { outbox, transport } = new Line();
    outbox.text('a');
    outbox.text('b');
    expect([transport.writes.length, tasks.length]).toEqual([0, 1]);
    settle();
    expect([transport.writes.length, transport.frames]).toEqual([1, ['text a', 'text b']]);
  });

  test('each connection gets its own frames in one write, however they were sent in turns', () => {
    const [a, b] = [new Line(), new Line()];
    turn.begin();
    for (const name of ['1', '2', '3']) {
      a.outbox.text(`a${name}`);
      b.outbox.text(`b${name}`);
    }
    turn.end();
    expect(a.transport.frames).toEqual(['text a1', 'text a2', 'text a3']);
    expect(b.transport.frames).toEqual(['text b1', 'text b2', 'text b3']);
    expect([a.transport.writes.length, b.transport.writes.length]).toEqual([1, 1]);
  });

  test('raw bytes, then frames: a handshake and a welcome', () => {
    const { outbox, transport } = new Line();
    turn.begin();
    // A frame with the text of an answer, so that it can be read back here.
    outbox.raw(formOf(encodeMessage('HTTP/1.1 101')).frame);
    outbox.text('welcome');
    turn.end();
    expect([transport.frames, transport.writes.length]).toEqual([['text HTTP/1.1 101', 'text welcome'], 1]);
  });

  test('text and bytes of any length are whole frames (RFC 6455 5.2)', () => {
    const line = new Line();
    const lengths = [
      0, 1, 125, 126, 5457, 5458, 16_373, 16_374, 16_383, 16_384, 16_385, 65_535, 65_536, 200_000,
    ];
    for (const bytes of lengths) {
      expect(line.outbox.text('x'.repeat(bytes))).toBe('sent');
      expect(line.outbox.binary(big('y', bytes))).toBe('sent');
      expect(line.outbox.encoded(encodeMessage('z'.repeat(bytes)))).toBe('sent');
    }
    const shown = (letter: string, bytes: number) =>
      bytes > 200 ? `${bytes} of ${letter}` : letter.repeat(bytes);
    expect(line.frames).toEqual(
      lengths.flatMap((bytes) => [
        `text ${shown('x', bytes)}`.trim(),
        `binary ${shown('y', bytes)}`.trim(),
        `text ${shown('z', bytes)}`.trim(),
      ]),
    );
    expect(line.outbox.bufferedAmount).toBe(0);
  });
});

describe('a peer that does not read', () => {
  test('is told once, and what follows waits in order, control frames before data', () => {
    const line = new Line();
    line.transport.takes = false;
    const { outbox, told, transport } = line;
    expect(outbox.text('first')).toBe('sent');
    settle();
    expect(told).toEqual(['waiting']);
    expect([outbox.text('a'), outbox.binary(payload('b')), outbox.encoded(encodeMessage('c'))]).toEqual(
      Array(3).fill('queued'),
    );
    expect([outbox.control(PING, payload('1')), outbox.control(PONG, payload('2'))]).toEqual([true, true]);
    expect(outbox.queuedBytes).toBe(5 * 3);
    expect(outbox.bufferedAmount).toBe(5 * 3 + 7);
    expect(told).toEqual(['waiting', ...Array(5).fill('queued')]);
    transport.drain(true);
    expect(line.frames).toEqual(['text first', 'ping 1', 'pong 2', 'text a', 'binary b', 'text c']);
    expect([outbox.bufferedAmount, outbox.queuedBytes, outbox.waiting]).toEqual([0, 0, false]);
    expect(told.at(-1)).toBe('drained');
  });

  test('gets the queue in batches of about 256 KiB, each when the one before has left', () => {
    const line = new Line().stick();
    for (const letter of 'abcdef') line.outbox.binary(big(letter, 100_000));
    line.transport.drain();
    expect(line.transport.writes.slice(1)).toEqual([300_030]);
    expect([line.outbox.waiting, line.outbox.queuedBytes, line.told.includes('drained')]).toEqual([
      true,
      300_030,
      false,
    ]);
    line.transport.drain();
    line.transport.drain();
    expect(line.frames.slice(1)).toEqual([...'abcdef'].map((letter) => `binary 100000 of ${letter}`));
    expect([line.outbox.bufferedAmount, line.told.at(-1)]).toEqual([0, 'drained']);
  });

  test('that reads again gets new frames directly', () => {
    const line = new Line().stick();
    line.outbox.text('queued');
    line.transport.drain(true);
    expect(line.outbox.text('direct')).toBe('sent');
    expect(line.frames).toEqual(['text first', 'text queued', 'text direct']);
  });

  test('is not asked to take frames that a handler of the drain sends, before those that wait', () => {
    const line = new Line().stick();
    line.outbox.text('a');
    line.transport.onDrain = () => {
      line.outbox.text('b');
      line.outbox.onDrain();
    };
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'text a', 'text b']);
  });
});

describe('sendLimit', () => {
  const sends = {
    text: (outbox: Outbox, bytes: number) => outbox.text('x'.repeat(bytes)),
    binary: (outbox: Outbox, bytes: number) => outbox.binary(big('x', bytes)),
  };
  test.each(Object.entries(sends))(
    'a %s of exactly the limit passes, one of a byte more does not',
    (_, send) => {
      for (const limit of [1, 125, 126, 20_000, 70_000]) {
        const within = new Line({ sendLimit: limit, overflow: 'drop' });
        expect(send(within.outbox, limit)).toBe('sent');
        const over = new Line({ sendLimit: limit, overflow: 'drop' });
        expect([send(over.outbox, limit + 1), over.frames]).toEqual(['dropped', []]);
      }
    },
  );

  test('counts the frames that wait, in this turn, in the queue and in the transport', () => {
    // `first` waits in the transport with 7 bytes, `0123456` in the queue with 9.
    const line = new Line({ sendLimit: 30, overflow: 'drop' }).stick();
    expect(line.outbox.text('0123456')).toBe('queued');
    expect(line.outbox.text('x'.repeat(15))).toBe('dropped');
    expect(line.outbox.text('x'.repeat(14))).toBe('queued');
    expect(line.outbox.bufferedAmount).toBe(7 + 9 + 16);
  });

  test('is not passed by frames that can leave at once, however many a turn has', () => {
    const line = new Line({ sendLimit: 10, overflow: 'close' });
    turn.begin();
    for (const letter of 'abcdef') expect(line.outbox.text(letter.repeat(9))).toBe('sent');
    turn.end();
    expect([line.frames.length, line.told]).toEqual([6, []]);
  });

  test('with close, the owner is told and the message is refused', () => {
    const line = new Line({ sendLimit: 8, overflow: 'close' }).stick();
    expect(line.outbox.text('ab')).toBe('closed');
    expect(line.told).toEqual(['overflow']);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first']);
  });

  test('with drop, the newest is dropped and those that wait stay', () => {
    const line = new Line({ sendLimit: 12, overflow: 'drop' }).stick();
    expect([line.outbox.text('abc'), line.outbox.text('d')]).toEqual(['queued', 'dropped']);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'text abc']);
  });

  test('with drop-oldest, as many of the oldest are dropped as the newest needs', () => {
    const line = new Line({ sendLimit: 7 + 4 * 3, overflow: 'drop-oldest' }).stick();
    const { outbox, transport } = line;
    for (const letter of 'abcd') expect(outbox.text(letter)).toBe('queued');
    expect(outbox.text('e')).toBe('queued');
    expect(outbox.text('ffff')).toBe('queued');
    expect(outbox.bufferedAmount).toBeLessThanOrEqual(7 + 4 * 3 + 2);
    transport.drain(true);
    expect(line.frames).toEqual(['text first', 'text d', 'text e', 'text ffff']);
    expect(outbox.bufferedAmount).toBe(0);
  });

  test('with drop-oldest, a message over the whole limit is dropped, and so is none that waits', () => {
    const line = new Line({ sendLimit: 20, overflow: 'drop-oldest' }).stick();
    line.outbox.text('a');
    expect(line.outbox.text('x'.repeat(21))).toBe('dropped');
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'text a']);
  });

  test('does not hold for control frames', () => {
    const line = new Line({ sendLimit: 7, overflow: 'drop' }).stick();
    expect(line.outbox.control(PING, payload('abc'))).toBe(true);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'ping abc']);
  });
});

describe('a key', () => {
  test('puts a newer message in the place of the one that waits', () => {
    const line = new Line().stick();
    line.outbox.text('price 1', 'price');
    line.outbox.text('other');
    line.outbox.binary(payload('price 22'), 'price');
    expect(line.outbox.queuedBytes).toBe(10 + 7);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'binary price 22', 'text other']);
    expect(line.outbox.bufferedAmount).toBe(0);
  });

  test('leaves messages of other keys and of none alone, and those that have left', () => {
    const line = new Line();
    for (const [text, key] of [
      ['a1', 'a'],
      ['b1', 'b'],
      ['none', undefined],
    ] as const) {
      expect(line.outbox.text(text, key)).toBe('sent');
    }
    settle();
    line.stick();
    for (const [text, key] of [
      ['a2', 'a'],
      ['none', undefined],
      ['b2', 'b'],
      ['a3', 'a'],
    ] as const) {
      line.outbox.encoded(encodeMessage(text), key);
    }
    line.transport.drain(true);
    expect(line.frames.slice(-4)).toEqual(['text first', 'text a3', 'text none', 'text b2']);
  });
});

describe('pongs that wait (RFC 6455 5.5.3)', () => {
  test('are all sent up to maxPendingPongs; beyond it, the newest takes the place of the one before', () => {
    const line = new Line({ maxPendingPongs: 3 }).stick();
    for (const number of '1234567') line.outbox.control(PONG, payload(number));
    expect(line.outbox.queuedBytes).toBe(3 * 3);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'pong 1', 'pong 2', 'pong 7']);
    expect(line.outbox.bufferedAmount).toBe(0);
  });
});

describe('a message in fragments (RFC 6455 5.4)', () => {
  const fragments = (outbox: Outbox, between: () => void) => {
    fragment(outbox, TEXT, payload('1'), false);
    between();
    fragment(outbox, CONTINUATION, payload('2'), false);
    between();
    fragment(outbox, CONTINUATION, payload('3'), true);
  };

  test('holds other messages back and lets control frames through', () => {
    const line = new Line();
    let number = 0;
    fragments(line.outbox, () => {
      number += 1;
      expect(line.outbox.unfinished).toBeDefined();
      expect(line.outbox.text(`text ${number}`)).toBe('queued');
      expect(line.outbox.binary(big('b', 20_000))).toBe('queued');
      line.outbox.control(PING, payload(`${number}`));
    });
    expect([line.outbox.unfinished, line.outbox.queuedBytes]).toEqual([undefined, 0]);
    expect(line.frames).toEqual([
      'first text 1',
      'ping 1',
      'more 2',
      'ping 2',
      'last 3',
      'text text 1',
      'binary 20000 of b',
      'text text 2',
      'binary 20000 of b',
    ]);
    expect(line.outbox.bufferedAmount).toBe(0);
  });

  test('holds them back in a queue, too', () => {
    const line = new Line().stick();
    fragments(line.outbox, () => line.outbox.text('other'));
    line.outbox.text('after');
    line.transport.drain(true);
    expect(line.frames).toEqual([
      'text first',
      'first text 1',
      'more 2',
      'last 3',
      'text other',
      'text other',
      'text after',
    ]);
  });

  test('counts those that it holds back against sendLimit', () => {
    const line = new Line({ sendLimit: 10, overflow: 'drop' });
    fragment(line.outbox, BINARY, payload(''), false);
    settle();
    expect([line.outbox.text('x'.repeat(8)), line.outbox.text('y')]).toEqual(['queued', 'dropped']);
    expect([line.outbox.bufferedAmount, line.outbox.queuedBytes]).toEqual([10, 10]);
  });

  test('has its newer message of a key among those held back', () => {
    const line = new Line();
    fragments(line.outbox, () => line.outbox.text(`at ${line.outbox.queuedBytes}`, 'key'));
    expect(line.frames).toEqual(['first text 1', 'more 2', 'last 3', 'text at 6']);
  });

  test('is given up by a Close, with those behind it', () => {
    const line = new Line();
    fragment(line.outbox, TEXT, payload('1'), false);
    line.outbox.text('behind');
    line.outbox.close(encodeClosePayload(1001), false);
    expect(fragment(line.outbox, CONTINUATION, payload('2'), true)).toBe('closed');
    expect(line.frames).toEqual(['first text 1', 'close 1001']);
    expect(line.outbox.bufferedAmount).toBe(0);
  });
});

describe('after our Close nothing follows (RFC 6455 5.5.1)', () => {
  test('it leaves at once behind what was sent, and everything later is refused', () => {
    const { outbox, transport } = new Line();
    turn.begin();
    outbox.text('a');
    outbox.close(encodeClosePayload(1000, 'bye'), false);
    expect(transport.frames).toEqual(['text a', 'close 1000 bye']);
    expect(outbox.sealed).toBe(true);
    const message = encodeMessage('x');
    expect([outbox.text('x'), outbox.binary(payload('x')), outbox.encoded(message)]).toEqual(
      Array(3).fill('closed'),
    );
    expect([fragment(outbox, TEXT, payload('x'), true), outbox.control(PING, payload('x'))]).toEqual([
      'closed',
      false,
    ]);
    outbox.close(encodeClosePayload(1011), true);
    turn.end();
    settle();
    expect(transport.frames).toEqual(['text a', 'close 1000 bye']);
  });

  test('it waits behind the queue, control frames included', () => {
    const line = new Line().stick();
    line.outbox.text('a');
    line.outbox.close(encodeClosePayload(1000), false);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'text a', 'close 1000']);
  });

  test('with discard, what waits is dropped, and it follows what is on its way', () => {
    const line = new Line().stick();
    line.outbox.text('a');
    line.outbox.control(PONG, payload('b'));
    line.outbox.close(encodeClosePayload(1008), true);
    expect(line.outbox.queuedBytes).toBe(4);
    line.transport.drain(true);
    expect(line.frames).toEqual(['text first', 'close 1008']);
    expect(line.outbox.bufferedAmount).toBe(0);
  });

  test('our side of the stream ends when all is out, and not before', () => {
    const line = new Line().stick();
    line.outbox.text('a');
    line.outbox.close(encodeClosePayload(1000), false);
    line.outbox.end();
    expect(line.transport.ended).toBe(0);
    line.transport.drain(true);
    expect(line.transport.ended).toBeGreaterThan(0);
    expect([line.frames, line.told.includes('drained')]).toEqual([
      ['text first', 'text a', 'close 1000'],
      false,
    ]);
  });

  test('our side ends at once when nothing waits, behind what this turn has', () => {
    const { outbox, transport } = new Line();
    turn.begin();
    outbox.raw(formOf(encodeMessage('HTTP/1.1 403')).frame);
    outbox.end();
    turn.end();
    expect([transport.frames, transport.ended]).toEqual([['text HTTP/1.1 403'], 1]);
  });
});

test('release forgets everything: nothing more is written, and nothing counted', () => {
  const line = new Line().stick();
  line.outbox.text('a');
  fragment(line.outbox, TEXT, payload('1'), false);
  line.outbox.text('behind');
  line.outbox.release();
  expect([line.outbox.bufferedAmount, line.outbox.queuedBytes, line.outbox.text('b')]).toEqual([
    0,
    0,
    'closed',
  ]);
  line.transport.drain(true);
  expect(line.frames).toEqual(['text first']);
  expect(line.transport.writes.length).toBe(1);
});

test('release in the midst of a turn drops what the turn has not written', () => {
  const { outbox, transport } = new Line();
  turn.begin();
  outbox.text('a');
  outbox.release();
  turn.end();
  expect(transport.writes).toEqual([]);
});

/** What may be done with some connections that share a turn. */
type Act =
  | { readonly kind: 'text' | 'binary' | 'ping' | 'encoded'; readonly line: number; readonly bytes: number }
  | { readonly kind: 'stick' | 'drain'; readonly line: number; readonly takes: boolean }
  | { readonly kind: 'begin' | 'end' | 'settle' };

const LINES = 3;
const line = fc.nat(LINES - 1);
const sizes = fc.oneof(
  fc.nat(300),
  fc.constantFrom(125, 126, 5461, 16_383, 16_384, 16_385, 21_842, 65_526, 65_535, 65_536, 65_537),
  fc.nat(140_000),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('text', 'binary', 'encoded'), line, bytes: sizes }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ping' as const), line, bytes: fc.nat(125) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('stick', 'drain'), line, takes: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('begin', 'end', 'settle') }) },
);

describe('whatever is sent, by whichever connection, while peers read and do not', () => {
  /** A letter for each frame, so that one in the place of another is seen. */
  const letter = (number: number) => String.fromCharCode(97 + (number % 26));

  function run(acts: readonly Act[]): void {
    tasks = [];
    turn = new WriteTurn((task) => tasks.push(task));
    const lines = Array.from({ length: LINES }, () => new Line({ sendLimit: 2 ** 30 }));
    const sent = lines.map(() => ({ data: [] as string[], control: [] as string[] }));
    let depth = 0;
    let number = 0;
    for (const act of acts) {
      if ('bytes' in act)
        send(act.kind, lines[act.line] as Line, sent[act.line], letter(number++), act.bytes);
      else if (act.kind === 'stick') (lines[act.line as number] as Line).transport.takes = false;
      else if (act.kind === 'drain') {
        const { transport } = lines[act.line as number] as Line;
        // A transport tells between callbacks, so never within a turn.
        if (depth > 0) continue;
        settle();
        if (transport.holding) transport.drain(act.takes);
        else transport.takes = act.takes;
      } else if (act.kind === 'begin' && depth === 0) {
        settle();
        turn.begin();
        depth = 1;
      } else if (act.kind === 'end' && depth === 1) {
        turn.end();
        depth = 0;
      } else if (act.kind === 'settle' && depth === 0) settle();
    }
    if (depth > 0) turn.end();
    settle();
    lines.forEach(({ transport, outbox }, i) => {
      while (transport.holding) transport.drain(true);
      const { frames } = transport;
      expect(frames.filter((frame) => !frame.startsWith('ping'))).toEqual(sent[i]?.data);
      expect(frames.filter((frame) => frame.startsWith('ping'))).toEqual(sent[i]?.control);
      expect([outbox.bufferedAmount, outbox.queuedBytes, outbox.waiting]).toEqual([0, 0, false]);
    });
  }

  function send(
    kind: 'text' | 'binary' | 'ping' | 'encoded',
    { outbox }: Line,
    sent: { data: string[]; control: string[] } | undefined,
    name: string,
    bytes: number,
  ): void {
    const shown = bytes > 200 ? `${bytes} of ${name}` : name.repeat(bytes);
    if (kind === 'ping') {
      outbox.control(PING, big(name, bytes));
      sent?.control.push(`ping ${shown}`.trim());
      return;
    }
    const result =
      kind === 'text'
        ? outbox.text(name.repeat(bytes))
        : kind === 'binary'
          ? outbox.binary(big(name, bytes))
          : outbox.encoded(encodeMessage(name.repeat(bytes)));
    expect(['sent', 'queued']).toContain(result);
    sent?.data.push(`${kind === 'binary' ? 'binary' : 'text'} ${shown}`.trim());
  }

  test('each gets all of its own frames, whole and in order, and no memory is reused that a transport holds', () => {
    fc.assert(fc.property(fc.array(act, { minLength: 5, maxLength: 60 }), run), { numRuns: 150 });
  });

  test('a turn that fills slab after slab while others wait', () => {
    run(
      Array.from({ length: 400 }, (_, i): Act[] => [
        { kind: 'stick', line: i % 3, takes: false },
        { kind: 'begin' },
        { kind: 'text', line: i % 3, bytes: 1000 + i },
        { kind: 'text', line: (i + 1) % 3, bytes: 1000 },
        { kind: 'binary', line: (i + 2) % 3, bytes: 300 },
        { kind: 'end' },
        { kind: 'drain', line: (i + 1) % 3, takes: i % 2 === 0 },
      ]).flat(),
    );
  });
});
