// A context may be thrown away at any moment, and no peer can tell: one long conversation for each window, all read by one
// inflater that forgets nothing.

import { describe, expect, test } from 'vitest';
import { CONTINUATION, PING, TEXT } from '../../../src/io/frames/frame-encoder.ts';
import { encodeMessage } from '../../../src/io/writing/encoded-message.ts';
import { shown } from '../../fuzz/decoding.ts';
import { Line } from '../../support/deflate-line.ts';
import { bytes } from '../../support/raw-client.ts';

const quote = (n: number): string =>
  JSON.stringify({ symbol: 'PORTAL', price: 1234.5 + (n % 7), volume: n * 97 });
/** Longer than every window but the largest, and than a slice. */
const LARGE = Array.from({ length: 1400 }, (_, n) => quote(n)).join();

/** What the conversation has said so far. */
class Talk {
  readonly line: Line;
  readonly said: string[] = [];
  /** Moments that have passed. */
  moments = 0;
  readonly #evicts: (moment: number) => boolean;
  #numbers = 0;

  constructor(line: Line, evicts: (moment: number) => boolean) {
    this.line = line;
    this.#evicts = evicts;
  }

  /** Anything may happen to the context between two calls. */
  #moment(): void {
    if (this.#evicts(this.moments++)) this.line.deflate.contexts.evict();
  }

  #say(send: (text: string) => void, text = quote(this.#numbers++)): void {
    send(text);
    this.said.push(`text ${shown(text)}`);
    this.#moment();
  }

  /** Every way to send, with a moment after each step of it. */
  all(): void {
    const { outbox } = this.line;
    const send = (text: string) => void outbox.text(text);
    this.#say(send);
    this.#say(send);
    this.#say((text) => outbox.text(text, undefined, false));
    this.#say(send);
    this.#say((text) => outbox.text(text, 'key'));
    this.#say(send);
    this.#say((text) => outbox.encoded(encodeMessage(text)));
    this.#say(send);
    this.#say((text) => outbox.text(text, undefined, true), 'short');
    this.#say((text) => outbox.text(text, undefined, true), '!');
    this.#fragments();
    this.#say(send);
    this.#large();
    this.#say(send);
    this.#say(send);
  }

  /** A message in fragments, and what is sent meanwhile. */
  #fragments(): void {
    const { outbox } = this.line;
    const place = outbox.reserve();
    const pieces = [quote(1), '', quote(1), quote(2)];
    this.said.push(`assembled text ${shown(pieces.join(''))}`);
    pieces.forEach((piece, i) => {
      outbox.fragment(place, i === 0 ? TEXT : CONTINUATION, bytes(piece), false);
      this.#moment();
      if (i > 1) this.#say((text) => outbox.text(text));
    });
    outbox.fragment(place, CONTINUATION, bytes(''), true);
    this.#moment();
  }

  /** In slices, with a moment after each. */
  #large(): void {
    const { outbox } = this.line;
    this.#say((text) => outbox.text(text), LARGE);
    this.said[this.said.length - 1] = `assembled text ${shown(LARGE)}`;
    outbox.control(PING, bytes('between'));
    while (this.line.turn()) this.#moment();
  }
}

describe.each([15, 12, 9, 8])('a window of %i bits', (bits) => {
  test('is read whole, with the context thrown away at every moment in turn, and at all of them', () => {
    const length = (() => {
      const once = new Talk(new Line(undefined, bits), () => false);
      once.all();
      return once.moments;
    })();
    expect(length).toBeGreaterThan(20);
    // At the nth repetition the nth moment; then every moment, every second, every third one.
    const repetitions = length + 6;
    const talk = new Talk(new Line(undefined, bits), (moment) => {
      const repetition = Math.floor(moment / length);
      if (repetition < length) return moment % length === repetition;
      return moment % (repetition - length + 1) === 0;
    });
    for (let i = 0; i < repetitions; i++) talk.all();
    expect(talk.moments).toBe(repetitions * length);
    const read = talk.line.read.filter((each) => !each.startsWith('ping'));
    expect(read.length).toBe(talk.said.length);
    for (const [i, message] of read.entries())
      if (message !== talk.said[i]) expect([i, message]).toEqual([i, talk.said[i]]);
  });
});
