/** Request heads made from a grammar: mostly an opening handshake, with strange and wrong parts here and there. */
import { Buffer } from 'node:buffer';
import { bytes } from '../support/raw-client.ts';
import { type Chance, mutated } from './chance.ts';

const METHODS = [
  'GET',
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'OPTIONS',
  'CONNECT',
  'get',
  'G',
  'X'.repeat(33),
  '',
  'G\0T',
];
const TARGETS = [
  '/',
  '/chat',
  '/a/b?c=d',
  '/%20',
  '*',
  'http://h/',
  'ws://h:1/p?q',
  'http://',
  '/é',
  '/ ',
  '',
  '//',
  '/#f',
  'h:80',
  '/"',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.12',
  'HTTP/',
  '',
];
const LINE_ENDS = [
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\n ',
  '\r\r\n',
];
const HEADERS: [name: string, values: string[]][] = [
  ['Host', ['example.com', 'h:1', '[::1]:80', '[::g]', 'a b', '', 'h:99999', 'a,b', '%41', '%4', 'h:']],
  ['Upgrade', ['websocket', 'WebSocket', 'h2c, websocket', 'h2c', '', ',']],
  ['Connection', ['Upgrade', 'keep-alive, Upgrade', 'upgrade', 'close', '', ' , ,']],
  ['Sec-WebSocket-Version', ['13', '8', '13, 8', '', '0013', '13 ']],
  [
    'Sec-WebSocket-Key',
    ['dGhlIHNhbXBsZSBub25jZQ==', 'AQIDBAUGBwgJCgsMDQ4PEA==', 'short', '', 'dGhlIHNhbXBsZSBub25jZR==', '===='],
  ],
  ['Sec-WebSocket-Protocol', ['chat', 'a, b', 'a,,b', 'a a', 'a, a', '', '"a"', 'é']],
  [
    'Sec-WebSocket-Extensions',
    ['permessage-deflate', 'a; b; c=1, d', 'a; b="c"', 'a; b="', 'a;;b', '"', 'a; b="\\c"', '=', ''],
  ],
  ['Origin', ['https://example.com', 'null', '', 'x y']],
  ['Content-Length', ['0', '5', '00', '-1', 'x', '']],
  ['Transfer-Encoding', ['chunked', '']],
  ['Cookie', ['a=b', 'c=d; e="f"']],
  ['__proto__', ['x']],
  ['constructor', ['y']],
  ['X-Long', ['x'.repeat(300), '\t x \t', '\x80\xff', 'a\0b', '\x7f']],
];

/** The bytes that a fuzzed head parser gets: grammar, accidents to it, or noise; perhaps followed by frames. */
export function headBytes(chance: Chance): Uint8Array {
  if (chance.oneIn(15)) return chance.bytes(chance.below(300));
  const head = Buffer.from(headOf(chance), 'latin1');
  const whole = chance.oneIn(3) ? mutated(head, chance) : head;
  return chance.oneIn(3) ? bytes(whole, chance.bytes(chance.below(40))) : new Uint8Array(whole);
}

function headOf(chance: Chance): string {
  // Most heads have at most one fault, so that each law is reached.
  const sane = !chance.oneIn(3);
  const of = <T>(choices: readonly T[]): T => (sane ? (choices[0] as T) : chance.pick(choices));
  const lines = [`${of(METHODS)} ${of(TARGETS)} ${of(VERSIONS)}`];
  const wanted = HEADERS.slice(0, 5).map(([name, values]) => `${name}: ${of(values)}`);
  const others = chance.some(0, 4, () => {
    const [name, values] = chance.pick(HEADERS.slice(5));
    return `${name}:${of(['', ' ', '\t'])}${chance.pick(values)}`;
  });
  const fields = [...wanted, ...others];
  if (chance.oneIn(4)) fields.splice(chance.below(fields.length), 1);
  if (chance.oneIn(6))
    fields.push(chance.pick([...wanted, ' folded', ': nameless', 'no colon', 'sp ace: x', '\x16\x03\x01']));
  if (chance.oneIn(4)) fields.reverse();
  if (chance.oneIn(30)) fields.push(...Array.from({ length: 70 }, (_, i) => `X-${i}: ${i}`));
  if (chance.oneIn(60)) fields.push(`X-Huge: ${'x'.repeat(9000)}`);
  lines.push(...fields);
  const start = chance.oneIn(12) ? of(['\r\n', '\n', '\r\n\r\n']) : '';
  return `${start}${lines.map((line) => line + of(LINE_ENDS)).join('')}${chance.oneIn(12) ? '' : '\r\n'}`;
}
