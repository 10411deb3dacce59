/**
 * RFC 7692: what is agreed on, and what the server sends compressed. Each client inflates all that comes with one window of
 * the size that was agreed on, for as long as its connection lasts, or with a new one for each message where that was agreed on.
 */
import { describe, expect, test } from 'vitest';
import { deflated, PersistentPeer } from '../support/deflate-peer.ts';
import {
  binaryFrame,
  bytes,
  continuationFrame,
  frame,
  OPCODE,
  pingFrame,
  RawClient as Raw,
  type RawClient,
  requestHead,
  textFrame,
} from '../support/raw-client.ts';
import { serve } from '../support/serving.ts';
import { binary, pong, Suite, sampleBytes, sampleText, text } from './conversation.ts';

const NAME = 'permessage-deflate';
const NEITHER = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
const quote = (n: number) => JSON.stringify({ symbol: 'PORTAL', price: 100 + (n % 9), volume: n * 7919 });
const compressed = (payload: string, fields: object = {}) =>
  frame({ opcode: OPCODE.text, rsv: 4, payload: deflated(bytes(payload)), ...fields });

/** What the client offers, what it must get, and how it then reads. */
const TERMS: [mode: 'shared' | 'contexts', offer: string, answer: string, bits: number][] = [
  ['shared', NAME, NEITHER, 15],
  ['shared', `${NAME}; server_max_window_bits=8`, `${NEITHER}; server_max_window_bits=8`, 8],
  ['contexts', NAME, `${NAME}; client_no_context_takeover`, 12],
  ['contexts', `${NAME}; server_no_context_takeover`, NEITHER, 12],
  [
    'contexts',
    `${NAME}; client_max_window_bits; server_max_window_bits=10`,
    `${NAME}; client_no_context_takeover; server_max_window_bits=10`,
    10,
  ],
  [
    'contexts',
    `${NAME}; server_max_window_bits=8`,
    `${NAME}; client_no_context_takeover; server_max_window_bits=8`,
    8,
  ],
];

describe.each(TERMS)('mode %s, %s', (mode, offer, answer, bits) => {
  const forgets = answer.includes('server_no_context_takeover');
  const peers: PersistentPeer[] = [];
  const extend = () => {
    const peer = new PersistentPeer(bits, forgets);
    peers.push(peer);
    return peer;
  };
  const settings = { perMessageDeflate: { mode, threshold: 1 }, cap: 300_000 } as const;
  const suite = new Suite(settings, { 'Sec-WebSocket-Extensions': offer }, extend);

  test(`is answered by ${answer}`, async () => {
    const client = await Raw.connect(suite.port, { sendHead: false });
    await client.sendBytes(bytes(requestHead({ headers: { 'Sec-WebSocket-Extensions': offer } })));
    expect((await client.handshake()).headers['sec-websocket-extensions']).toBe(answer);
  });

  const sizes = [1, 64, 125, 126, 127, 255, 256, 4096, 65_535, 65_536];
  suite.conforms('answers are inflated, compressed and plain ones in turn, with Pongs in between', {
    send: [
      ...[1, 2, 3].map((n) => textFrame(quote(n))),
      compressed(quote(4), { fin: false }),
      pingFrame('between'),
      continuationFrame(''),
      textFrame(''),
      binaryFrame(sampleBytes(40)),
      ...sizes.map((size) => textFrame(sampleText(size))),
      compressed(quote(5)),
    ],
    answers: [
      ...[1, 2, 3].map((n) => text(quote(n))),
      pong('between'),
      text(quote(4)),
      text(''),
      binary(sampleBytes(40)),
      ...sizes.map((size) => text(sampleText(size))),
      text(quote(5)),
    ],
    ways: ['whole', { seed: 1 }],
  });

  test('and most of them were compressed: with a context, the short ones that are like each other, too', () => {
    const of = Math.max(...peers.map(({ messages: count }) => count));
    expect(of).toBeGreaterThanOrEqual(forgets ? 8 : 13);
  });

  test('a large message comes in fragments; a message that was sent after it, after it', async () => {
    const large = Array.from({ length: 5000 }, (_, n) => quote(n)).join();
    const { client } = await suite.call();
    await client.sendBytes(bytes(textFrame(large), textFrame('after it')));
    expect(await messages(client, 2)).toEqual([large, 'after it']);
  });
});

/** The next messages, put together. */
async function messages(client: RawClient, count: number): Promise<string[]> {
  const all: string[] = [];
  let parts: Uint8Array[] = [];
  while (all.length < count) {
    const { fin, payload } = await client.nextFrame();
    parts.push(payload);
    if (fin) all.push(Buffer.concat(parts).toString());
    if (fin) parts = [];
  }
  return all;
}

describe('7.1: which offer is accepted', () => {
  const suite = new Suite({ perMessageDeflate: true });
  const eight = `${NAME}; server_max_window_bits=8`;
  test.each([
    ['an unknown parameter, then a good offer', [`${NAME}; fast, ${NAME}`], NEITHER],
    ['a parameter twice', [`${NAME}; server_no_context_takeover; server_no_context_takeover`], undefined],
    ['a value where none may be', [`${NAME}; client_no_context_takeover=1`], undefined],
    ['a window of 7 bits', [`${NAME}; server_max_window_bits=7`], undefined],
    ['a window of 16 bits', [`${NAME}; client_max_window_bits=16`], undefined],
    ['a window of 08 bits', [`${NAME}; server_max_window_bits=08`], undefined],
    ['a window without its bits', [`${NAME}; server_max_window_bits`], undefined],
    [
      'a quoted value (RFC 6455 9.1)',
      [`${NAME}; server_max_window_bits="8"`],
      `${NEITHER}; server_max_window_bits=8`,
    ],
    ['several header lines, in their order', ['foo', eight, NAME], `${NEITHER}; server_max_window_bits=8`],
    [
      'a client that limits its own window',
      [`${NAME}; client_max_window_bits=9`],
      `${NEITHER}; client_max_window_bits=9`,
    ],
    ['another extension alone', ['x-webkit-deflate-frame'], undefined],
  ] as const)('%s', async (_, lines, wanted) => {
    const client = await Raw.connect(suite.port, { sendHead: false });
    const offers = lines.map((line) => `Sec-WebSocket-Extensions: ${line}\r\n`).join('');
    await client.sendBytes(bytes(requestHead().replace('\r\n\r\n', `\r\n${offers}\r\n`)));
    expect((await client.handshake()).headers['sec-websocket-extensions']).toBe(wanted);
    // A declined offer declines no connection.
    await client.sendBytes(textFrame('plain'));
    expect(Buffer.from((await client.nextFrame()).payload).toString()).toBe('plain');
  });
});

describe('what a user sends', () => {
  const OFFER = { headers: { 'Sec-WebSocket-Extensions': NAME } };
  const meet = async (mode: 'shared' | 'contexts') => {
    const extension = new PersistentPeer(15);
    const served = await serve({ onMessage: () => {} }, { perMessageDeflate: { mode } });
    return { ...served, extension, ...(await served.meet({ ...OFFER, extension })) };
  };

  test.each(['shared', 'contexts'] as const)(
    '%s: pieces of one message refer to each other',
    async (mode) => {
      const { client, connection, extension } = await meet(mode);
      const pieces = [1, 2, 3, 4].map(() => quote(1));
      const before = connection.stats().bytesOut;
      await connection.sendFragments(pieces);
      const bytesOut = connection.stats().bytesOut - before;
      expect(bytesOut).toBeLessThan(2.5 * quote(1).length);
      const frames = [];
      for (let i = 0; i < 5; i++) frames.push(await client.nextFrame());
      // Each is inflated as it comes.
      expect(frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual([...pieces, '']);
      expect(frames.map(({ fin, opcode }) => [fin, opcode])).toEqual([
        [false, 1],
        [false, 0],
        [false, 0],
        [false, 0],
        [true, 0],
      ]);
      await connection.sendFragments(pieces, { compress: false });
      expect(connection.stats().bytesOut - before - bytesOut).toBeGreaterThan(4 * quote(1).length);
      await connection.sendFragments(pieces, { compress: true });
      expect(await messages(client, 2)).toEqual([pieces.join(''), pieces.join('')]);
      expect(extension.messages).toBe(2);
    },
  );

  test.each(['shared', 'contexts'] as const)(
    '%s: an empty message is empty, whatever was sent before',
    async (mode) => {
      const { client, connection } = await meet(mode);
      connection.send(quote(1), { compress: true });
      connection.send('', { compress: true });
      connection.send(new Uint8Array(0), { compress: true });
      connection.send(quote(1), { compress: true });
      expect(await messages(client, 4)).toEqual([quote(1), '', '', quote(1)]);
    },
  );
});
