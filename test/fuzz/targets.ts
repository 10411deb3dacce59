/**
 * What is fuzzed, and what must hold for every input: an answer or a documented error, never a throw; the same answer
 * however the bytes are split; memory and work within bounds that are stated here. Work is counted, not timed.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import nodeZlib from 'node:zlib';
import { PerMessageDeflate } from '../../src/io/extensions/per-message-deflate.ts';
import { PublicZlib } from '../../src/io/extensions/public-zlib.ts';
import { encodeClosePayload, isWireCloseCode, readClosePayload } from '../../src/io/frames/close-payload.ts';
import { Decoded, type DecoderLimits, FrameDecoder } from '../../src/io/frames/frame-decoder.ts';
import { readHandshake } from '../../src/io/http/handshake.ts';
import { type HeadResult, RequestHeadParser } from '../../src/io/http/head-parser.ts';
import { encodeHttpResponse, refusal } from '../../src/io/http/http-response.ts';
import type { RequestHead } from '../../src/io/http/request-head.ts';
import { acceptHandshake, encodeVerdict } from '../../src/io/http/verdict.ts';
import { deflateOf } from '../support/deflate-peer.ts';
import { split } from '../support/splits.ts';
import { Chance } from './chance.ts';
import { compressedBytes } from './compressed.ts';
import { decode, type Way } from './decoding.ts';
import { closeBytes, frameBytes } from './frames.ts';
import { headBytes } from './heads.ts';
import { expectedAnswers } from './reference.ts';

export interface Target {
  readonly name: string;
  /** How many times as long as others an input takes. Default: 1. */
  readonly cost?: number;
  /** Makes the input of a seed and tries it. Throws when something does not hold. */
  attempt(seed: number): void;
}

/** What does not hold, with all that is needed to see it again. */
export class Finding extends Error {}

export const targets: readonly Target[] = [
  { name: 'frame decoder', attempt: tryDecoder },
  { name: 'compressed message', attempt: tryCompressed, cost: 10 },
  { name: 'request head', attempt: tryHead },
  { name: 'close payload', attempt: tryClose },
];

function check(holds: boolean, what: string, input: Uint8Array, details: unknown = ''): void {
  if (holds) return;
  const shown = Buffer.from(input.subarray(0, 2000)).toString('hex');
  throw new Finding(`${what}\n  input: ${shown}\n  ${JSON.stringify(details)}`);
}

// ------------------------------------------------------------------ frames

function tryDecoder(seed: number): void {
  const chance = new Chance(seed);
  const limits = {
    cap: chance.pick([0, 1, 125, 126, 1000, 5000, 70_000, 1_048_576, 1_048_576]),
    maxFragments: chance.pick([1, 2, 3, 5, 16_384, 16_384]),
  };
  const wants = chance.pick(['messages', 'fragments', 'both'] as const);
  const input = frameBytes(chance);
  const before = Buffer.from(input);
  const whole = runDecoder([input], input, limits, { wants });
  check(before.equals(input), 'the input was written to', input);
  const expected = expectedAnswers(input, limits, wants);
  const codes = whole.map((answer) => answer.replace(/^(fault \d+).*$/, '$1'));
  check(same(codes, expected), 'the answers are not those of the RFC', input, {
    limits,
    wants,
    codes,
    expected,
  });

  const hold = (): boolean => chance.oneIn(3);
  const ways: [chunks: Uint8Array[], way: Way][] = [
    [chance.cut(input), { wants, memory: 'lent', hold }],
    [chance.cut(input), { wants, memory: 'read buffer' }],
    [chance.cut(input), { wants, memory: 'own', hold }],
  ];
  if (input.length <= 300) ways.push([split(input, 'byte-by-byte'), { wants, memory: 'lent' }]);
  for (const [chunks, way] of ways) {
    const answers = runDecoder(chunks, input, limits, way);
    const cuts = chunks.map((chunk) => chunk.length);
    check(same(answers, whole), 'a split changes the answers', input, { limits, way, cuts, answers, whole });
  }
}

function runDecoder(
  chunks: readonly Uint8Array[],
  input: Uint8Array,
  limits: DecoderLimits,
  way: Way,
): string[] {
  const { answers, calls, mostHeldBytes, grownBytes, decoder } = decode(chunks, limits, way);
  // At most 4 KiB or twice what has come of a message; and that is never over the cap.
  const bound = Math.max(4096, 2 * Math.min(limits.cap, input.length));
  check(mostHeldBytes <= bound, `${mostHeldBytes} bytes held, over ${bound}`, input, { limits, way });
  // Doubling: all growths together are linear in the bytes, and 4 KiB a message.
  const growth = 4 * input.length + 4096 * (answers.length + 1);
  check(grownBytes <= growth, `${grownBytes} bytes grown, over ${growth}`, input, { limits, way });
  // Each call takes a byte at least, or says that it needs more: once a chunk, and once at the end.
  const most = input.length + chunks.length + 1;
  check(calls <= most, `${calls} calls, over ${most}`, input, { limits, way });
  check(!way.hold || answers.length <= input.length, 'more answers than bytes', input);
  decoder.next();
  decoder.discard();
  const done = decoder.heldBytes === 0 && !decoder.hasMore && decoder.next() === Decoded.NEED_MORE;
  check(done, 'something is left after discard', input, { limits, way });
  return answers;
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((line, i) => line === b[i]);

// ------------------------------------------------------------------ compressed messages

const PUBLIC = new PublicZlib(nodeZlib);
const TERMS = { answer: '', serverWindowBits: 15, clientWindowBits: 15, takesOver: false };
/** What one message costs beside its bytes: a window, and what zlib works with. */
const INFLATER_BYTES = 64 * 1024;

function tryCompressed(seed: number): void {
  const chance = new Chance(seed);
  const limits = {
    cap: chance.pick([0, 1, 1000, 100_000, 1_048_576]),
    maxFragments: chance.pick([2, 16_384]),
  };
  const wants = chance.pick(['messages', 'fragments', 'both'] as const);
  const input = compressedBytes(chance);
  const whole = runInflating([input], input, limits, { wants });
  const ways: [chunks: Uint8Array[], way: Way][] = [
    [chance.cut(input), { wants, memory: 'lent', hold: () => chance.oneIn(3) }],
    [chance.cut(input), { wants, memory: 'read buffer' }],
  ];
  if (input.length <= 300) ways.push([split(input, 'byte-by-byte'), { wants, memory: 'lent' }]);
  for (const [chunks, way] of ways) {
    const answers = runInflating(chunks, input, limits, way);
    check(same(answers, whole), 'a split changes the answers', input, { limits, way, answers, whole });
  }
  // Zlib's own functions, which read a message only when it is complete, as the judge.
  const publicly = runInflating([input], input, limits, { wants: 'messages' }, PUBLIC);
  const natively = runInflating([input], input, limits, { wants: 'messages' });
  const data = (answers: readonly string[]) => answers.filter((answer) => !/^(fragment|ping)/.test(answer));
  check(same(data(natively), data(publicly)), 'zlib reads it otherwise', input, {
    limits,
    natively,
    publicly,
  });
}

/** The answers; faults without their codes: whether a limit or a wrong byte is seen first depends on the split. */
function runInflating(
  chunks: readonly Uint8Array[],
  input: Uint8Array,
  limits: DecoderLimits,
  way: Way,
  zlib?: PublicZlib,
): string[] {
  const decoder = new FrameDecoder(limits);
  const deflate = deflateOf({}, { cap: limits.cap, maxInflation: 100 }, zlib);
  const extension = new PerMessageDeflate(deflate, TERMS);
  decoder.extension = extension;
  const { answers, mostHeldBytes } = decode(chunks, limits, way, decoder);
  const bound = 2 * Math.max(input.length, limits.cap) + INFLATER_BYTES;
  check(mostHeldBytes <= bound, `${mostHeldBytes} bytes held, over ${bound}`, input, { limits, way });
  const last = answers.at(-1) ?? '';
  check(!last.startsWith('fault') || /^fault 100[2789] /.test(last), 'a fault of no kind', input, last);
  decoder.discard();
  check(decoder.heldBytes === 0 && extension.heldBytes === 0, 'something is left after discard', input, {
    way,
  });
  return answers.map((answer) => answer.replace(/^fault .*$/, 'fault'));
}

// ------------------------------------------------------------------ request heads

function tryHead(seed: number): void {
  const chance = new Chance(seed);
  const limits = {
    maxHeadBytes: chance.pick([64, 200, 500, 8192, 8192]),
    maxHeaders: chance.pick([1, 5, 64, 64]),
  };
  const input = headBytes(chance);
  const whole = runHead([input], input, limits);
  const ways = [chance.cut(input), chance.cut(input)];
  if (input.length <= 1000) ways.push(split(input, 'byte-by-byte'));
  for (const chunks of ways) {
    const answer = runHead(chunks, input, limits);
    const cuts = chunks.map((chunk) => chunk.length);
    check(answer === whole, 'a split changes the answer', input, { limits, cuts, answer, whole });
  }
}

/** The outcome in one line. */
function runHead(
  chunks: readonly Uint8Array[],
  input: Uint8Array,
  limits: { maxHeadBytes: number; maxHeaders: number },
): string {
  const parser = new RequestHeadParser(limits);
  const lent = Buffer.alloc(Math.max(0, ...chunks.map((chunk) => chunk.length)));
  let result: HeadResult = { kind: 'need-more' };
  let taken = 0;
  for (const chunk of chunks) {
    lent.set(chunk);
    result = parser.push(lent.subarray(0, chunk.length));
    taken += chunk.length;
    if (result.kind !== 'need-more') break;
    lent.fill(0xee); // a parser that kept what was lent will see this
  }
  check(parser.bytesExamined <= input.length, `${parser.bytesExamined} bytes examined`, input, limits);
  if (result.kind === 'need-more') {
    check(taken < limits.maxHeadBytes, 'more is wanted at the limit', input, limits);
    return 'need-more';
  }
  if (result.kind === 'fault') {
    const { code: status, reason: message } = result.fault;
    check(
      [400, 431, 501, 505].includes(status) && /^[\x20-\x7e]+$/.test(message),
      'an error of no kind',
      input,
      result,
    );
    check(parser.push(lent) === result, 'an error is not final', input, result);
    return `error ${status} ${message}`;
  }
  const rest = Buffer.concat([result.rest, input.subarray(taken)]);
  check(
    rest.equals(input.subarray(input.length - rest.length)),
    'the rest is not the end of the input',
    input,
  );
  lent.fill(0xee);
  return `${outcomeOf(result.head, input)}, then ${rest.length} bytes`;
}

function outcomeOf(head: RequestHead, input: Uint8Array): string {
  const hasHost = head.host !== '' || head.httpVersion === '1.0';
  check(head.path.startsWith('/') && hasHost, 'a head without path or host', input, head.target);
  const { headers } = head;
  for (const [name, value] of Object.entries(headers)) {
    const isClean = /^[^A-Z]+$/.test(name) && !/[\r\n\0]/.test(value) && head.header(name) === value;
    check(isClean, 'a header is not as promised', input, { name, value });
  }
  const words = [head.method, head.target, JSON.stringify(headers)].join(' ');
  const handshake = readHandshake(head);
  if (handshake.kind === 'fault') {
    const { code } = handshake.fault;
    const isVersion = code === 505 && head.httpVersion === '1.0';
    check([400, 405, 426].includes(code) || isVersion, 'a refusal of no kind', input, handshake);
    return `${words} ${Buffer.from(encodeHttpResponse(refusal(handshake.fault))).toString('latin1')}`;
  }
  if (handshake.kind === 'request') return `${words} request`;
  const { key, protocols } = handshake;
  const answer = Buffer.from(encodeVerdict(acceptHandshake({ key, subprotocol: protocols[0] }))).toString(
    'latin1',
  );
  check(
    answer.startsWith('HTTP/1.1 101 ') && answer.endsWith('\r\n\r\n'),
    'no answer to an upgrade',
    input,
    answer,
  );
  return `${words} upgrade ${key} ${protocols} ${handshake.extensions} ${handshake.origin}`;
}

// ------------------------------------------------------------------ close payloads

function tryClose(seed: number): void {
  const chance = new Chance(seed);
  const input = closeBytes(chance);
  const result = readClosePayload(input);
  const code = input.length < 2 ? undefined : Buffer.from(input).readUInt16BE();
  if ('fault' in result) {
    const fault =
      input.length === 1 || (code !== undefined && !isWireCloseCode(code))
        ? 1002
        : isUtf8(input.subarray(2))
          ? undefined
          : 1007;
    check(result.fault.code === fault && result.fault.reason !== '', 'a wrong fault', input, result);
    return;
  }
  check(result.code === (code ?? 1005), 'a wrong code', input, result);
  const again = encodeClosePayload(result.code, result.reason);
  check(Buffer.from(again).equals(input), 'read and written again, it is another', input, result);
}
