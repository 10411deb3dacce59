/** WebSockets over HTTP/2 (RFC 8441), cleartext and TLS, with Node's own client. */
import { once } from 'node:events';
import http2 from 'node:http2';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { CloseReport, Failure } from '../../../src/index.ts';
import {
  answerOf,
  attached,
  connect,
  listen,
  next,
  opened,
  portal,
  session,
} from '../../support/attached.ts';
import { dial, makeListener } from '../../support/carrier.ts';
import { closeFrame, textFrame } from '../../support/raw-client.ts';
import { gate, until } from '../../support/serving.ts';
import { tcpSuite } from './tcp-suite.ts';

tcpSuite('a stream of HTTP/2', () => makeListener(true, undefined, 'http2'), {
  name: 'http2',
  atOnce: 'none',
  resetCodes: ['ERR_HTTP2_STREAM_RESET'],
  listens: false,
  dial: (port) => dial(port),
});

const text = (payload: string) => Buffer.from(textFrame(payload));
/** What the server's short text frame looks like. */
const said = (payload: string) =>
  Buffer.concat([Buffer.from([0x81, payload.length]), Buffer.from(payload)]).toString('latin1');

/** A WebSocket that is open, with all that it has received. */
async function open(client: http2.ClientHttp2Session, path = '/echo', headers = {}) {
  const stream = connect(client, path, headers);
  const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  expect(answer[':status']).toBe(200);
  const own = { stream, answer, received: '' };
  stream.on('data', (chunk: Buffer) => {
    own.received += chunk.toString('latin1');
  });
  return own;
}

/** Ends our side when the server has ended its own, as a browser does. */
const answering = (stream: http2.ClientHttp2Stream) => stream.on('end', () => stream.end());

describe.each([
  ['http2', 'http'],
  ['http2 with TLS', 'https'],
] as const)('%s', (kind, scheme) => {
  test('several WebSockets share one session, beside plain requests', async () => {
    const { server, port } = await attached(kind);
    const client = await session(port, scheme);
    const [one, two] = [await open(client), await open(client)];
    one.stream.write(text('one'));
    two.stream.write(text('two'));
    await until(() => one.received === said('one') && two.received === said('two'));
    const plain = await answerOf(client.request({ ':path': '/' }));
    expect([plain.status, plain.body]).toEqual([200, 'the page']);
    expect([...server.connections].map(({ transport, remoteAddress }) => [transport, remoteAddress])).toEqual(
      [
        ['http2', '127.0.0.1'],
        ['http2', '127.0.0.1'],
      ],
    );
    one.stream.close();
    await until(() => server.connections.size === 1);
    two.stream.write(text('!'));
    await until(() => two.received.endsWith(said('!')));
  });

  test('stop says 1001 to each, ends the streams, and leaves the HTTP server running', async () => {
    const { server, port } = await attached(kind);
    const client = await session(port, scheme);
    const one = await open(client);
    answering(one.stream);
    one.stream.on('data', () => one.stream.write(Buffer.from(closeFrame(1001))));
    const report = await server.stop();
    expect(report).toEqual({ connections: 1, terminated: 0, refused: 0, handlers: 0 });
    expect(one.received).toBe('\x88\x02\x03\xe9');
    expect((await answerOf(client.request({ ':path': '/' }))).body).toBe('the page');
    const late = await answerOf(connect(client, '/echo'));
    expect([late.status, late.body]).toEqual([503, 'The server is stopped.\n']);
    expect(late.headers['retry-after']).toBe('5');
  });
});

test('HTTP/1.1 and HTTP/2 on one port', async () => {
  const { server, port, url } = await attached('http2 with TLS');
  const old = await opened(`${url}/echo`);
  const client = await session(port, 'https');
  const young = await open(client);
  old.send('old');
  young.stream.write(text('young'));
  expect(await next(old)).toBe('old');
  await until(() => young.received === said('young'));
  expect([...server.connections].map(({ transport }) => transport)).toEqual(['http1', 'http2']);
});

test('the answer has the subprotocol and the headers of authorize, without a key', async () => {
  const { server, port } = await attached('http2', { subprotocols: ['chat'] });
  const seen = gate<unknown[]>();
  server.path('/session', {
    authorize: ({ incoming, headers }) => {
      seen.open([incoming?.url, incoming?.headers.cookie, headers.cookie, incoming?.httpVersion]);
      return { headers: { 'Set-Cookie': ['a=1', 'b=2'], 'Keep-Alive': 'timeout=5' } };
    },
  });
  const client = await session(port);
  const { answer } = await open(client, '/session', { 'sec-websocket-protocol': 'chat', cookie: 'sid=7' });
  expect(answer).toMatchObject({ 'sec-websocket-protocol': 'chat', 'set-cookie': ['a=1', 'b=2'] });
  expect(Object.keys(answer).sort()).toEqual([':status', 'date', 'sec-websocket-protocol', 'set-cookie']);
  expect(await seen.promise).toEqual(['/session', 'sid=7', 'sid=7', '2.0']);
});

describe('refusals', () => {
  test.each([
    ['an origin that is not allowed', '/echo', { origin: 'https://elsewhere.example' }, 403],
    ['another version', '/echo', { 'sec-websocket-version': '8' }, 426],
    ['authorize says no', '/no', {}, 403],
  ])('%s', async (_, path, headers, status) => {
    const { server, port } = await attached('http2');
    server.path('/no', { authorize: async () => false });
    const client = await session(port);
    const stream = connect(client, path, headers);
    const answer = await answerOf(stream);
    expect(answer.status).toBe(status);
    expect(answer.headers.upgrade).toBe(undefined);
    expect(answer.body).not.toBe('');
    // Our side was never ended: the server does not wait for it.
    await until(() => server.stats().connections.handshaking === 0);
    expect(server.stats().refused).toBe(1);
  });

  test('a path that nobody has is the HTTP server’s own where it listens, and a 404 where nobody does', async () => {
    const { port } = await attached('http2');
    expect((await answerOf(connect(await session(port), '/nowhere'))).status).toBe(405);
    const bare = http2.createServer();
    const server = portal();
    server.attach(bare);
    await server.start();
    expect((await answerOf(connect(await session(await listen(bare)), '/nowhere'))).status).toBe(404);
  });
});

test('a listener of "stream" that answers every stream does not see ours, and sees all others', async () => {
  const httpServer = http2.createServer();
  const seen: unknown[] = [];
  httpServer.on('stream', (stream, headers) => {
    seen.push(headers[':path']);
    stream.respond({ ':status': 200 });
    stream.end('mine');
  });
  const server = portal();
  const attachment = server.attach(httpServer);
  await server.start();
  const client = await session(await listen(httpServer));
  const one = await open(client);
  one.stream.write(text('hello'));
  await until(() => one.received === said('hello'));
  expect((await answerOf(client.request({ ':path': '/page' }))).body).toBe('mine');
  attachment.detach();
  expect((await answerOf(connect(client, '/echo'))).body).toBe('mine');
  expect(seen).toEqual(['/page', '/echo']);
  one.stream.write(text('!'));
  await until(() => one.received.endsWith(said('!')));
});

describe('the end', () => {
  async function ending(how: (client: http2.ClientHttp2Session, stream: http2.ClientHttp2Stream) => void) {
    const { server, port } = await attached('http2');
    const client = await session(port);
    const failed: Failure[] = [];
    server.errors$.subscribe((failure) => failed.push(failure));
    const came = firstValueFrom(server.connections$);
    const { stream } = await open(client);
    const ended: Promise<CloseReport> = firstValueFrom((await came).closed$);
    how(client, stream);
    return { report: await ended, failed: failed.map(({ error }) => (error as Error).name) };
  }

  test('a clean closing handshake', async () => {
    const { report, failed } = await ending((_, stream) => {
      answering(stream);
      stream.write(Buffer.from(closeFrame(4000, 'bye')));
    });
    expect(report).toEqual({ code: 4000, reason: 'bye', wasClean: true, initiator: 'peer' });
    expect(failed).toEqual([]);
  });

  test('END_STREAM without a Close is 1006, as a FIN is', async () => {
    const { report } = await ending((_, stream) => stream.end());
    expect(report.code).toBe(1006);
  });

  test('a lost session is a lost connection', async () => {
    const { report, failed } = await ending((client) => client.destroy());
    expect(report.code).toBe(1006);
    expect(failed).toEqual(['ConnectionLostError']);
  });

  test('a GOAWAY of the client leaves the open streams alone', async () => {
    const { server, port } = await attached('http2');
    const client = await session(port);
    const one = await open(client);
    client.close();
    one.stream.write(text('after'));
    await until(() => one.received === said('after'));
    answering(one.stream);
    one.stream.write(Buffer.from(closeFrame(1000)));
    await once(client, 'close');
    await until(() => server.connections.size === 0);
  });
});

test('their flow control holds us back: what they do not read waits here', async () => {
  const { server, port } = await attached('http2', { sendLimit: 8 * 1024 * 1024 });
  const client = await session(port);
  const came = firstValueFrom(server.connections$);
  const stream = connect(client, '/echo');
  await once(stream, 'response');
  const connection = await came;
  const chunk = new Uint8Array(512 * 1024).fill(97);
  const results = Array.from({ length: 8 }, () => connection.send(chunk));
  expect(results).toContain('queued');
  await new Promise((resolve) => setImmediate(resolve));
  expect(connection.bufferedAmount).toBeGreaterThan(3 * 1024 * 1024);
  let read = 0;
  stream.on('data', (bytes: Buffer) => {
    read += bytes.length;
  });
  await connection.drained();
  await until(() => read >= 8 * chunk.length);
});

test('a stream that is not read holds back what is sent to it, and no other stream of its session', async () => {
  const { server, port } = await attached('http2', { sendLimit: 8 * 1024 * 1024 });
  const client = await session(port);
  const came = firstValueFrom(server.connections$);
  const stalled = connect(client, '/echo');
  await once(stalled, 'response');
  const connection = await came;
  const other = await open(client);
  const chunk = new Uint8Array(512 * 1024);
  for (let i = 0; i < 8; i++) connection.send(chunk);
  let isDrained = false;
  const drained = connection.drained().then(() => {
    isDrained = true;
  });
  for (let i = 0; i < 20; i++) {
    other.received = '';
    other.stream.write(text(`${i}`));
    await until(() => other.received === said(`${i}`));
  }
  expect([connection.bufferedAmount > 3 * 1024 * 1024, isDrained]).toEqual([true, false]);
  stalled.resume();
  await drained;
  expect(connection.bufferedAmount).toBe(0);
});

/** Why a session takes no new stream: it throws, or from Node 24 on its stream fails. */
async function refusalOf(begin: () => http2.ClientHttp2Stream): Promise<unknown> {
  try {
    const [error] = await once(begin(), 'error');
    return error;
  } catch (error) {
    return error;
  }
}

test('the HTTP server’s close() sends GOAWAY: open WebSockets live on, and it ends when stop() has closed them', async () => {
  const { server, httpServer, port } = await attached('http2');
  const sessions: http2.ServerHttp2Session[] = [];
  httpServer.on('session', (each: http2.ServerHttp2Session) => sessions.push(each));
  const client = await session(port);
  const one = await open(client);
  answering(one.stream);
  const goaway = once(client, 'goaway');
  const closed = once(httpServer, 'close');
  httpServer.close();
  // Newer versions of Node do that in `close()`.
  for (const each of sessions) each.close();
  await goaway;
  one.stream.write(text('still'));
  await until(() => one.received === said('still'));
  expect(await refusalOf(() => connect(client, '/echo'))).toMatchObject({ code: 'ERR_HTTP2_GOAWAY_SESSION' });
  const report = await server.stop();
  expect(report.connections).toBe(1);
  client.close();
  await closed;
});

test('what we do not read holds them back', async () => {
  const { server, port } = await attached('http2');
  const client = await session(port);
  const came = firstValueFrom(server.connections$);
  const one = await open(client);
  const connection = await came;
  connection.pause();
  let written = 0;
  const flood = Buffer.alloc(64 * 1024, 0x41);
  const message = Buffer.concat([text('a'), text('b')]);
  one.stream.write(message);
  for (let i = 0; i < 32; i++) {
    one.stream.write(flood, () => {
      written++;
    });
  }
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(written).toBeLessThan(32);
  expect(server.stats().messagesIn).toBe(0);
  one.stream.close();
});
