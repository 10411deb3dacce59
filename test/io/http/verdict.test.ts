import { describe, expect, test } from 'vitest';
import { fault } from '../../../src/io/faults.ts';
import { encodeHttpResponse, refusal } from '../../../src/io/http/http-response.ts';
import { acceptHandshake, acceptKey, encodeVerdict } from '../../../src/io/http/verdict.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
type Accepted = Omit<Parameters<typeof acceptHandshake>[0], 'key'>;
const answer = (accepted: Accepted): string =>
  Buffer.from(encodeVerdict(acceptHandshake({ key: KEY, ...accepted }))).toString('latin1');

describe('a verdict that accepts', () => {
  test("has the RFC's own Sec-WebSocket-Accept (RFC 6455 1.3)", () => {
    expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  test('is 101 with Upgrade, Connection and Sec-WebSocket-Accept (RFC 6455 4.2.2, 5)', () => {
    expect(answer({})).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    );
  });

  test('names the subprotocol and carries headers', () => {
    expect(answer({ subprotocol: 'chat', extensions: 'x; y=1', headers: { 'Set-Cookie': 'a=é' } })).toMatch(
      /=\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x; y=1\r\nSet-Cookie: a=é\r\n\r\n$/,
    );
  });

  test('is plain data: another transport may answer it in its own way', () => {
    expect(acceptHandshake({ key: '', headers: new Map([['A', ['1', '2']]]) })).toEqual({
      kind: 'accept',
      key: '',
      subprotocol: undefined,
      extensions: '',
      headers: [
        ['A', '1'],
        ['A', '2'],
      ],
    });
  });

  test('carries two cookies', () => {
    const lines = 'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n';
    expect(answer({ headers: { 'Set-Cookie': ['a=1', 'b=2'] } })).toContain(
      lines.replaceAll('\\\\r\\\\n', '\r\n'),
    );
  });

  test.each([
    'Upgrade',
    'connection',
    'Sec-WebSocket-Accept',
    'sec-websocket-protocol',
    'SEC-WEBSOCKET-EXTENSIONS',
    'Content-Length',
    'transfer-encoding',
  ])('refuses the header %s with a TypeError', (name) => {
    expect(() => acceptHandshake({ key: KEY, headers: { [name]: 'x' } })).toThrow(
      new TypeError(`The header ${name} is set by the server itself.`),
    );
  });

  test.each(['a\r\nb', 'a\n', '\0', '\u010d\u010a'])(
    'refuses the header value %j with a TypeError',
    (value) => {
      expect(() => acceptHandshake({ key: KEY, headers: { 'X-A': value } })).toThrow(TypeError);
    },
  );

  test.each(['', 'a b', 'a\r\nX: y', 'a,b', 'é'])(
    'refuses the subprotocol %j with a TypeError',
    (subprotocol) => {
      expect(() => acceptHandshake({ key: KEY, subprotocol })).toThrow(TypeError);
    },
  );
});

describe('a verdict that refuses', () => {
  const response = refusal(fault('denied'));
  test('is the plain answer', () => {
    expect(encodeVerdict({ kind: 'refuse', response })).toEqual(encodeHttpResponse(response));
  });

  test('leaves out the body for HEAD', () => {
    const options = { omitBody: true };
    expect(encodeVerdict({ kind: 'refuse', response }, options)).toEqual(
      encodeHttpResponse(response, options),
    );
  });
});
