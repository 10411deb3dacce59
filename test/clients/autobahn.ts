/**
 * The cases of sections 12 and 13 of the Autobahn test suite, which needs a Python that is gone: the same messages, sizes,
 * fragments and offers, and a client that is as strict as theirs.
 */
import { CONTINUATION, RSV1 } from '../../src/io/frames/frame-encoder.ts';
import { encodeClientFrame } from '../../src/testing/frames.ts';
import { deflated, PersistentPeer } from '../support/deflate-peer.ts';
import { bytes, closeFrame, OPCODE, RawClient } from '../support/raw-client.ts';
import { random } from '../support/splits.ts';

/** Bytes of a message, and of its fragments; 0: it goes in one frame. */
export const SIZES: readonly (readonly [size: number, fragmentBytes: number])[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((size) => [size, 0] as const),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((size) => [size, 256] as const),
  ...[1024, 4096, 32_768].map((fragmentBytes) => [131_072, fragmentBytes] as const),
];
/** How many messages each case sends. */
export const COUNT = 1000;

const words =
  'Habe nun ach Philosophie Juristerei und Medizin Durchaus studiert mit heißem Bemühn Da steh ich nun'.split(
    ' ',
  );
const next = random(7692);
const some = (values: readonly string[]): string => values[Math.floor(next() * values.length)] as string;
const repeated = (make: () => string): Uint8Array => {
  let text = '';
  while (text.length < 200_000) text += make();
  return bytes(text);
};

/** What the messages are cut from. */
const SOURCES: Record<string, { readonly isText: boolean; readonly data: Uint8Array }> = {
  JSON: {
    isText: true,
    data: repeated(() =>
      JSON.stringify({ id: Math.floor(next() * 1e6), name: some(words), ok: next() < 0.5 }),
    ),
  },
  'an image without compression': {
    isText: false,
    data: Uint8Array.from({ length: 200_000 }, (_, i) => ((i % 512) >> 2) + Math.floor(next() * 8)),
  },
  'German prose': { isText: true, data: repeated(() => `${some(words)} `) },
  'an image that is compressed already': {
    isText: false,
    data: Uint8Array.from({ length: 200_000 }, () => Math.floor(next() * 256)),
  },
  'prose with repetitions': {
    isText: true,
    data: repeated(
      () =>
        `${some(words)
          .toLowerCase()
          .repeat(1 + Math.floor(next() * 3))}\n`,
    ),
  },
};

/** One section: what is sent, and what the client offers, the best offer first. */
export interface Section {
  readonly name: string;
  readonly source: string;
  readonly offer: string;
  /** Bits of the window that the server may use at most. */
  readonly bits: number;
}

/** An offer of theirs: whether the server is asked to take no context over, and for how many bits (0: it is not asked). */
const offerOf = (forgets: boolean, bits: number, more = ''): string =>
  [
    'permessage-deflate; client_no_context_takeover; client_max_window_bits',
    ...(forgets ? ['server_no_context_takeover'] : []),
    ...(bits > 0 ? [`server_max_window_bits=${bits}`] : []),
  ].join('; ') + more;

export const SECTIONS: readonly Section[] = [
  ...Object.keys(SOURCES).map((source, i) => ({
    name: `12.${i + 1}`,
    source,
    offer: offerOf(false, 0),
    bits: 15,
  })),
  { name: '13.1', source: 'JSON', offer: offerOf(false, 0), bits: 15 },
  { name: '13.2', source: 'JSON', offer: offerOf(true, 0), bits: 15 },
  { name: '13.3', source: 'JSON', offer: offerOf(false, 9), bits: 9 },
  { name: '13.4', source: 'JSON', offer: offerOf(false, 15), bits: 15 },
  { name: '13.5', source: 'JSON', offer: offerOf(true, 9), bits: 9 },
  { name: '13.6', source: 'JSON', offer: offerOf(true, 15), bits: 15 },
  {
    name: '13.7',
    source: 'JSON',
    offer: offerOf(true, 9, `, ${offerOf(true, 0)}, ${offerOf(false, 0)}`),
    bits: 9,
  },
  // Theirs leave these out: the smallest window, and offers that must be declined before the one that counts.
  { name: '13.8', source: 'JSON', offer: offerOf(false, 8), bits: 8 },
  {
    name: '13.9',
    source: 'JSON',
    offer: `permessage-deflate; server_max_window_bits=7, ${offerOf(false, 8)}`,
    bits: 8,
  },
  { name: '13.10', source: 'JSON', offer: 'permessage-deflate; client_max_window_bits=9', bits: 15 },
];

/** Texts end at whole characters. */
function cut(data: Uint8Array, from: number, size: number): Uint8Array {
  const part = data.slice(from, from + size);
  for (let i = 0; i < part.length; i++) if ((part[i] as number) > 0x7f) part[i] = 0x2d;
  return part;
}

/** The frames of one message: as many as its payload would have, of its compressed bytes, some of them empty. */
function framesOf(
  payload: Uint8Array,
  isText: boolean,
  fragmentBytes: number,
  windowBits: number,
): Uint8Array {
  const whole = deflated(payload, { windowBits: Math.max(9, windowBits) });
  const count = fragmentBytes === 0 ? 1 : Math.ceil(payload.length / fragmentBytes);
  const ends = Array.from({ length: count - 1 }, () => Math.floor(next() * whole.length)).sort(
    (a, b) => a - b,
  );
  const frames = [...ends, whole.length].map((end, i) =>
    encodeClientFrame({
      opcode: i > 0 ? CONTINUATION : isText ? OPCODE.text : OPCODE.binary,
      rsv: i > 0 ? 0 : RSV1 >> 4,
      final: i === count - 1,
      payload: whole.subarray(i === 0 ? 0 : ends[i - 1], end),
    }),
  );
  return bytes(...frames);
}

/** How many messages are different from each other; more would only take time to make. */
const DIFFERENT = 4;

/** Holds one case: all messages come back as they were, and both sides close cleanly. Returns the server's answer. */
export async function converse(
  port: number,
  { source, offer, bits }: Section,
  [size, fragmentBytes]: readonly [number, number],
  count: number,
): Promise<string> {
  const { isText, data } = SOURCES[source] as (typeof SOURCES)[string]; // sections name sources
  const extension = new PersistentPeer(bits);
  const headers = { 'Sec-WebSocket-Extensions': offer };
  const client = await RawClient.connect(port, { headers, extension });
  const answer = (await client.handshake()).headers['sec-websocket-extensions'] ?? '';
  const clientBits = Number(/client_max_window_bits=(\d+)/.exec(answer)?.[1] ?? 15);
  const different = Array.from({ length: Math.min(count, DIFFERENT) }, (_, i) => {
    const part = data.slice(i * 1000, i * 1000 + size);
    const payload = isText ? cut(data, i * 1000, size) : part;
    return { payload, frames: framesOf(payload, isText, fragmentBytes, clientBits) };
  });
  for (let i = 0; i < count; i++) {
    const { payload, frames } = different[i % different.length] as (typeof different)[number]; // i < their number
    await client.sendBytes(frames);
    await expectMessage(client, payload, isText ? OPCODE.text : OPCODE.binary, `message ${i} of ${count}`);
  }
  await client.sendBytes(closeFrame(1000));
  const { code } = await client.closeFrame();
  if (code !== 1000) throw new Error(`closed with ${code}`);
  if ((await client.ended()) !== 'fin') throw new Error('the server did not end TCP cleanly');
  client.fin();
  return answer;
}

async function expectMessage(
  client: RawClient,
  wanted: Uint8Array,
  opcode: number,
  what: string,
): Promise<void> {
  let at = 0;
  for (;;) {
    const frame = await client.nextFrame();
    if (frame.opcode !== (at === 0 ? opcode : CONTINUATION))
      throw new Error(`${what}: opcode ${frame.opcode}`);
    if (Buffer.compare(frame.payload, wanted.subarray(at, at + frame.payload.length)) !== 0)
      throw new Error(`${what} came back as another, from byte ${at} on`);
    at += frame.payload.length;
    if (!frame.fin) continue;
    if (at !== wanted.length)
      throw new Error(`${what} came back with ${at} bytes instead of ${wanted.length}`);
    return;
  }
}
