/** What real clients, proxies and health checks send, over a socket: versions of HTTP, sizes, proxies, origins. */
import { describe, expect, test } from 'vitest';
import type { HandshakeRequest, PlainRequest, ServerOptions } from '../../src/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { serve } from '../support/serving.ts';

const onRequest = ({ path }: PlainRequest) =>
  path === '/health' ? { status: 200, body: 'fine\n' } : undefined;

async function answerTo(port: number, head: string) {
  const client = await RawClient.connect(port, { sendHead: false });
  await client.sendBytes(Buffer.from(head, 'latin1'));
  return client.response();
}

describe('health checks', () => {
  test.each([
    ['HTTP/1.0 without Host', 'GET /health HTTP/1.0\r\n\r\n'],
    ['HTTP/1.0 with Host', 'GET /health HTTP/1.0\r\nHost: portal\r\nConnection: close\r\n\r\n'],
    ['HTTP/1.1', 'GET /health HTTP/1.1\r\nHost: 10.0.0.5:5005\r\n\r\n'],
    ['HTTP/1.2', 'GET /health HTTP/1.2\r\nHost: a\r\n\r\n'],
  ])('of %s reach onRequest', async (_, head) => {
    const { port } = await serve({}, { onRequest });
    const { status, body, headers } = await answerTo(port, head);
    expect([status, body, headers['content-length'], headers.connection]).toEqual([
      200,
      'fine\n',
      '5',
      'close',
    ]);
  });

  test('a HEAD of HTTP/1.0 has the length and no body', async () => {
    const { port } = await serve({}, { onRequest });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(Buffer.from('HEAD /health HTTP/1.0\r\n\r\n'));
    const { status, headers } = await client.response();
    expect([status, headers['content-length']]).toEqual([200, '5']);
  });
});

test('12 KB of cookies and 100 fields open with defaults', async () => {
  const { port } = await serve();
  const fields = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`X-${at}`, `${at}`]));
  const client = await RawClient.connect(port, { headers: { ...fields, Cookie: `a=${'x'.repeat(12_000)}` } });
  expect((await client.response()).status).toBe(101);
});

test('a head that is too large is told which option to raise', async () => {
  const { port, errors } = await serve();
  const client = await RawClient.connect(port, { headers: { Cookie: `a=${'x'.repeat(17_000)}` } });
  const { status, body } = await client.response();
  expect([status, body]).toEqual([431, expect.stringContaining('maxHeadBytes')]);
  expect(errors).toMatchObject([{ error: { status: 431, advice: expect.stringContaining('maxHeadBytes') } }]);
});

describe('behind a proxy', () => {
  async function via(headers: Record<string, string>, options: Partial<ServerOptions> = {}) {
    const seen: string[] = [];
    const authorize = ({ remoteAddress }: HandshakeRequest) => seen.push(remoteAddress) > 0;
    const { port } = await serve({ authorize, onMessage() {} }, { trustProxy: ['127.0.0.1'], ...options });
    const client = await RawClient.connect(port, { headers });
    const { status } = await client.response();
    return status === 101 ? seen[0] : status;
  }

  test.each([
    ['for="[2001:db8::7]"', '2001:db8::7'],
    ['for=192.0.2.66, for="[::ffff:198.51.100.7]:80"', '198.51.100.7'],
    ['for=192.0.2.66;by=", for=198.51.100.7', 400],
    ['for=", for=198.51.100.7', 400],
    ['for=198.51.100.7;for=192.0.2.66', 400],
    ['for=198.51.100.7:80', 400],
  ])('Forwarded: %s is %s', async (value, expected) => {
    expect(await via({ Forwarded: value })).toBe(expected);
  });

  test('the option says which header it writes, and the other one is the client’s own', async () => {
    const headers = { Forwarded: 'for=192.0.2.66', 'X-Forwarded-For': '198.51.100.7' };
    const addresses = ['127.0.0.1'];
    expect(await via(headers)).toBe(400);
    expect(await via(headers, { trustProxy: { addresses, header: 'forwarded' } })).toBe('192.0.2.66');
    expect(await via(headers, { trustProxy: { addresses, header: 'x-forwarded-for' } })).toBe('198.51.100.7');
  });

  test.each([
    [{ 'X-Forwarded-Host': 'example.com' }, '198.51.100.7'],
    [{ 'X-Forwarded-Host': 'example.com:443' }, '198.51.100.7'],
    [{ Forwarded: 'for=198.51.100.7;host=example.com' }, '198.51.100.7'],
    [{ 'X-Forwarded-Host': 'other.example' }, 403],
    [{}, 403],
  ])('%j: the host counts for the origin', async (headers, expected) => {
    const sent = {
      Origin: 'https://example.com',
      Host: 'portal.internal',
      'X-Forwarded-For': '198.51.100.7',
    };
    expect(await via({ ...sent, ...headers })).toBe(expected);
    expect(await via({ ...sent, ...headers }, { trustProxy: undefined })).toBe(403);
  });

  test('the PROXY protocol from one that is not named is told so', async () => {
    const { port } = await serve();
    for (const head of ['PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c']) {
      const { status, body } = await answerTo(port, head);
      expect([status, body]).toEqual([400, expect.stringMatching(/PROXY protocol.*trustProxy/)]);
    }
  });
});

describe('origins', () => {
  async function ask(origins: ServerOptions['origins'], origin: string) {
    const served = await serve({}, { origins });
    const client = await RawClient.connect(served.port, { headers: { Origin: origin } });
    return { ...served, response: await client.response() };
  }

  test.each([
    'http://example.com/',
    'http://example.com/a/b',
    'ws://example.com:81',
    'file:///a',
    'null',
    'https://a.b',
  ])('the advice for %s can be taken', async (origin) => {
    const { response, errors } = await ask([], origin);
    expect(response.status).toBe(403);
    const { advice = '' } = (errors[0] as unknown as { error: { advice?: string } }).error;
    const list: string[] = JSON.parse(/origins: (\[.*\])/.exec(advice)?.[1] ?? '');
    expect((await ask(list, origin)).response.status).toBe(101);
  });

  test('a function decides, and sees the request', async () => {
    const origins = (origin: string, request: PlainRequest) =>
      origin === 'https://a.b' && request.path === '/echo';
    expect((await ask(origins, 'https://a.b')).response.status).toBe(101);
    expect((await ask(origins, 'https://a.c')).response.status).toBe(403);
  });

  test('a function that throws is a 500, and an error for the user', async () => {
    const cause = new Error('the password is hunter2');
    const origins = () => {
      throw cause;
    };
    const { response, errors } = await ask(origins, 'https://a.b');
    expect([response.status, response.body]).toEqual([500, 'The server could not decide.\n']);
    expect(errors).toMatchObject([{ error: cause }]);
  });

  test('one that answers with a promise is no answer: 500', async () => {
    const origins = (async () => {
      throw new Error('in vain');
    }) as unknown as ServerOptions['origins'];
    const { response, errors } = await ask(origins, 'https://a.b');
    expect(response.status).toBe(500);
    expect(errors).toMatchObject([{ error: { message: expect.stringContaining('authorize') } }]);
  });

  test('a RegExp with the flag g says the same each time', async () => {
    const { port } = await serve({}, { origins: /^https:\/\/a\./g });
    for (let round = 0; round < 3; round += 1) {
      const client = await RawClient.connect(port, { headers: { Origin: 'https://a.b' } });
      expect((await client.response()).status).toBe(101);
    }
  });
});

test('headers of the 101: a list, Headers and a Map are sent, a class instance is a 500', async () => {
  const answer = async (headers: unknown) => {
    const { port } = await serve({ authorize: () => ({ headers }) as never, onMessage() {} });
    const client = await RawClient.connect(port);
    return client.response();
  };
  const two = new Headers([
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ]);
  for (const headers of [{ 'Set-Cookie': ['a=1', 'b=2'] }, two, new Map([['Set-Cookie', ['a=1', 'b=2']]])]) {
    const { status, headers: sent } = await answer(headers);
    expect(status).toBe(101);
    expect(JSON.stringify(sent['set-cookie'])).toMatch(/a=1.*b=2/);
  }
  class Own {
    A = '1';
  }
  expect((await answer(new Own())).status).toBe(500);
  expect((await answer([['A', '1']])).status).toBe(500);
});
