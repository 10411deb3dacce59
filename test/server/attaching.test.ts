/** WebSockets that come through HTTP servers: of HTTP/1.1, plain and with TLS, on the handle and on the socket. */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { Failure, HandshakeError } from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import {
  attached,
  calling,
  connect,
  ending,
  listen,
  makeHttpServer,
  next,
  opened,
  portal,
  refusal,
} from '../support/attached.ts';
import { Authority, hasOpenssl, skippedTls } from '../support/certificates.ts';
import { bytes, requestHead, textFrame } from '../support/raw-client.ts';
import { gate, record, until, warning } from '../support/serving.ts';

const ways = [
  ['http', 'handle'],
  ['http', 'socket'],
  ['https', 'handle'],
  ['http2 with TLS', 'handle'],
] as const;

describe.each(ways)('attached to %s, carried by the %s', (kind, tcp) => {
  test('messages go both ways, the page is served, and the HTTP server closes without waiting', async () => {
    const { server, httpServer, url, port } = await attached(kind, { tcp });
    const came = firstValueFrom(server.connections$);
    const client = await opened(`${url}/echo`);
    const connection = await came;
    expect(connection.transport).toBe('http1');
    expect(connection.remoteAddress).toBe('127.0.0.1');
    client.send('hello');
    expect(await next(client)).toBe('hello');
    const large = 'x'.repeat(600_000);
    client.send(large);
    expect(await next(client)).toBe(large);
    if (kind === 'http') {
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      expect(await response.text()).toBe('the page');
    }
    const closed = once(httpServer, 'close');
    httpServer.close();
    await closed;
    client.send('still there');
    expect(await next(client)).toBe('still there');
  });

  test('the closing handshake is clean from either side', async () => {
    const { server, url } = await attached(kind, { tcp });
    const reports: object[] = [];
    server.connections$.subscribe((connection) =>
      connection.closed$.subscribe((report) => reports.push(report)),
    );
    const first = await opened(`${url}/echo`);
    first.close(4001, 'bye');
    expect((await once(first, 'close'))[0]).toBe(4001);
    const second = await opened(`${url}/echo`);
    const closed = once(second, 'close');
    const report = await server.stop();
    expect((await closed)[0]).toBe(1001);
    expect(report).toEqual({ connections: 1, terminated: 0, refused: 0, handlers: 0 });
    expect(reports).toEqual([
      { code: 4001, reason: 'bye', wasClean: true, initiator: 'peer' },
      { code: 1001, reason: '', wasClean: true, initiator: 'server' },
    ]);
  });

  test('refusals are answered on that socket: origin, authorize, before start and after stop', async () => {
    const { server, url } = await attached(kind, { tcp, origins: ['https://example.com'] });
    server.path('/no', { authorize: async () => ({ status: 401, body: 'who are you?' }) });
    const origin = 'https://elsewhere.example';
    expect((await refusal(calling(`${url}/echo`, { origin }))).status).toBe(403);
    expect(await refusal(calling(`${url}/no`))).toEqual({ status: 401, body: 'who are you?' });
    await server.stop();
    expect(await refusal(calling(`${url}/echo`))).toEqual({
      status: 503,
      body: 'The server is stopped.\n',
    });
    await server.start();
    await opened(`${url}/echo`);
  });

  test('a peer that hangs up while authorize decides aborts its signal', async () => {
    const { server, url } = await attached(kind, { tcp });
    const asked = gate<AbortSignal>();
    const never = new Promise<boolean>(() => {});
    server.path('/wait', {
      authorize: (_request, signal) => {
        asked.open(signal);
        return never;
      },
    });
    const client = calling(`${url}/wait`);
    const signal = await asked.promise;
    client.terminate();
    if (!signal.aborted) await once(signal, 'abort');
    await until(() => server.stats().connections.handshaking === 0);
  });
});

test('early frames in head are read after the handshake, also while authorize decides', async () => {
  const { server, port } = await attached('http');
  server.path('/later', {
    authorize: () => new Promise<boolean>((resolve) => setImmediate(resolve, true)),
    onMessage: (connection, message) => void connection.send(message),
  });
  for (const path of ['/echo', '/later']) {
    const socket = ending(connectTcp(port, '127.0.0.1'));
    socket.write(bytes(requestHead({ path }), textFrame('one'), textFrame('two')));
    let said = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      said += chunk;
    });
    await until(() => said.includes('two'));
    expect(said).toMatch(/^HTTP\/1\.1 101 /);
    expect(said.endsWith('\r\n\r\n\x81\x03one\x81\x03two')).toBe(true);
  }
});

test('authorize reads what the HTTP server knows of the request', async () => {
  const { server, url } = await attached('https');
  const seen = gate<unknown[]>();
  server.path('/session', {
    authorize: ({ incoming }) => {
      const { headers, socket, url } = incoming as IncomingMessage;
      seen.open([headers.cookie, socket.remoteAddress, url, 'encrypted' in socket]);
      return true;
    },
  });
  await opened(`${url}/session?a=1`, { headers: { cookie: 'sid=7' } });
  expect(await seen.promise).toEqual(['sid=7', '127.0.0.1', '/session?a=1', true]);
});

describe.skipIf(!hasOpenssl)(`behind TLS${skippedTls}`, () => {
  test.each(['https', 'http2'] as const)(
    '%s: authorize gets a verified certificate, or none',
    async (kind) => {
      const authority = new Authority();
      const [own, ada] = [authority.issue('localhost'), authority.issue('ada')];
      const options = { ...own, ca: authority.ca, requestCert: true, rejectUnauthorized: false };
      const httpServer =
        kind === 'https'
          ? https.createServer(options)
          : http2.createSecureServer({ ...options, allowHTTP1: true });
      const server = portal();
      const names: unknown[] = [];
      server.path('/who', {
        authorize: ({ peerCertificate }) => {
          names.push(peerCertificate?.subject.CN);
          return true;
        },
      });
      server.attach(httpServer);
      await server.start();
      const port = await listen(httpServer);
      await opened(`wss://127.0.0.1:${port}/who`, ada);
      await opened(`wss://127.0.0.1:${port}/who`);
      if (kind === 'http2') {
        const client = ending(
          http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...ada }),
        );
        await once(client, 'remoteSettings');
        await once(connect(client, '/who'), 'response');
      }
      authority.end();
      expect(names).toEqual(kind === 'https' ? ['ada', undefined] : ['ada', undefined, 'ada']);
    },
  );
});

test('on a port of its own there is no incoming', async () => {
  const server = portal({ port: 0, host: '127.0.0.1' });
  const seen = gate<unknown>();
  server.path('/own', {
    authorize: ({ incoming }) => {
      seen.open(incoming);
      return true;
    },
  });
  const httpServer = makeHttpServer('http');
  server.attach(httpServer);
  await server.start();
  await opened(`ws://127.0.0.1:${server.address()?.port}/own`);
  expect(await seen.promise).toBe(undefined);
  // The same server, through the HTTP server.
  await opened(`ws://127.0.0.1:${await listen(httpServer)}/own`);
  expect([...server.connections].map(({ transport }) => transport).sort()).toEqual(['http1', 'tcp']);
});

test('the handshake knows proxies, subprotocols and limits as ever', async () => {
  const { server, url } = await attached('http', {
    trustProxy: ['127.0.0.1'],
    subprotocols: ['chat'],
    maxConnections: 1,
  });
  const came = firstValueFrom(server.connections$);
  const client = calling(`${url}/echo`, { headers: { 'x-forwarded-for': '192.0.2.7' } }, ['chat', 'other']);
  await once(client, 'open');
  expect(client.protocol).toBe('chat');
  expect((await came).remoteAddress).toBe('192.0.2.7');
  expect((await refusal(calling(`${url}/echo`))).status).toBe(503);
  expect(server.stats().limits).toEqual({ maxConnections: 1 });
});

test('those over maxHandshakes get 503 while authorize decides about the others', async () => {
  const { server, url } = await attached('http', { maxHandshakes: 2 });
  const decided = gate<boolean>();
  server.path('/slow', { authorize: () => decided.promise });
  const first = [calling(`${url}/slow`), calling(`${url}/slow`)];
  await until(() => server.stats().connections.handshaking === 2);
  expect((await refusal(calling(`${url}/slow`))).status).toBe(503);
  expect((await refusal(calling(`${url}/echo`))).status).toBe(503);
  expect(server.stats().limits).toEqual({ maxHandshakes: 2 });
  const open = first.map((client) => once(client, 'open'));
  decided.open(true);
  await Promise.all(open);
});

test('a handshake that authorize leaves pending ends with 408 at its deadline', async () => {
  const { server, url } = await attached('http', { handshakeDeadline: 100 });
  server.path('/never', { authorize: () => new Promise<boolean>(() => {}) });
  expect((await refusal(calling(`${url}/never`))).status).toBe(408);
});

describe('a malformed head', () => {
  test.each([
    ['no key', { 'Sec-WebSocket-Key': null }, 400],
    ['another version', { 'Sec-WebSocket-Version': '8' }, 426],
    ['a broken list of subprotocols', { 'Sec-WebSocket-Protocol': ',' }, 400],
    ['a head that is too long', { 'X-Long': 'x'.repeat(700) }, 431],
    ['too many fields', Object.fromEntries([...'abcdefgh'].map((name) => [`X-${name}`, 'x'])), 431],
  ])('%s', async (_, headers, status) => {
    const { port } = await attached('http', { maxHeadBytes: 700, maxHeaders: 10 });
    const socket = ending(connectTcp(port, '127.0.0.1'));
    socket.end(requestHead({ path: '/echo', headers }));
    let said = '';
    for await (const chunk of socket) said += chunk;
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });
});

describe('etiquette', () => {
  test('a path that nobody has is answered with 404 where nobody else listens, and the user is told', async () => {
    const { server, url } = await attached('http');
    const failed: Failure[] = [];
    server.errors$.subscribe((failure) => failed.push(failure));
    expect(await refusal(calling(`${url}/nowhere`))).toEqual({
      status: 404,
      body: 'There is nothing at /nowhere.\n',
    });
    expect(failed).toHaveLength(1);
  });

  test('another library answers on its own path, and for what is nobody’s', async () => {
    const { url, httpServer } = await attached('http');
    const other = new WebSocketServer({ noServer: true });
    httpServer.on('upgrade', (request: IncomingMessage, socket, head) => {
      if (request.url === '/ws')
        other.handleUpgrade(request, socket, head, (client) => client.send('from ws'));
      else if (request.url !== '/echo') socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n');
    });
    const client = calling(`${url}/ws`);
    expect(await next(client)).toBe('from ws');
    expect((await refusal(calling(`${url}/nowhere`))).status).toBe(418);
    const ours = await opened(`${url}/echo`);
    ours.send('mine');
    expect(await next(ours)).toBe('mine');
  });

  test.each(['http', 'https'] as const)(
    'ws with a path of its own, which refuses all others, lives beside on %s',
    async (kind) => {
      const httpServer = makeHttpServer(kind);
      const other = new WebSocketServer({ server: httpServer as http.Server, path: '/ws' });
      other.on('connection', (client) => client.send('from ws'));
      const server = portal();
      server.attach(httpServer);
      await server.start();
      const url = `${kind === 'https' ? 'wss' : 'ws'}://127.0.0.1:${await listen(httpServer)}`;
      expect(await next(calling(`${url}/ws`))).toBe('from ws');
      expect((await refusal(calling(`${url}/nowhere`))).status).toBe(400);
      const ours = await opened(`${url}/echo`);
      ours.send('mine');
      expect(await next(ours)).toBe('mine');
      other.close();
    },
  );

  test('several Portal servers share an HTTP server; the first one says 404', async () => {
    const { url, httpServer } = await attached('http');
    const second = portal();
    second.path('/second', { onOpen: (connection) => void connection.send('second') });
    const attachment = second.attach(httpServer);
    await second.start();
    expect(await next(calling(`${url}/second`))).toBe('second');
    await opened(`${url}/echo`);
    expect((await refusal(calling(`${url}/third`))).status).toBe(404);
    attachment.detach();
    expect((await refusal(calling(`${url}/second`))).status).toBe(404);
    await opened(`${url}/echo`);
  });

  test('a server that was never started is told to be, once; the peer gets 503', async () => {
    const server = portal();
    const httpServer = makeHttpServer('http');
    server.attach(httpServer);
    const url = `ws://127.0.0.1:${await listen(httpServer)}`;
    const { message } = await warning(async () => {
      const answer = await refusal(calling(`${url}/echo`));
      expect(answer).toEqual({ status: 503, body: 'The server is not started.\n' });
    });
    expect(message).toContain(
      'a handshake was refused with 503: The server is not started. Call server.start()',
    );
    expect(server.stats()).toMatchObject({ refused: 1, opened: 0 });
    await server.start();
    await opened(`${url}/echo`);
  });

  test('a server that was stopped leaves to one that runs what that has, and what nobody has', async () => {
    const { server: old, httpServer, url } = await attached('http');
    const young = portal();
    young.attach(httpServer);
    const [oldErrors, youngErrors] = [record(old.errors$), record(young.errors$)];
    await old.stop();
    expect((await refusal(calling(`${url}/echo`))).status).toBe(503);
    expect((await refusal(calling(`${url}/none`))).status).toBe(404);
    await young.start();
    await opened(`${url}/echo`);
    expect(young.connections.size).toBe(1);
    old.path('/old');
    expect((await refusal(calling(`${url}/old`))).body).toBe('The server is stopped.\n');
    expect((await refusal(calling(`${url}/none`))).status).toBe(404);
    const reasons = ({ values }: { values: Failure[] }) =>
      values.map(({ error }) => (error as HandshakeError).reason);
    expect(reasons(oldErrors)).toEqual(['stopped', 'noPath', 'stopped']);
    expect(reasons(youngErrors)).toEqual(['noPath']);
    expect(old.stats().refused).toBe(3);
  });

  test('what nobody answers where others listen is told once for each path; what somebody answers is not', async () => {
    const clock = new ManualClock();
    const { server, httpServer, url } = await attached('http', { clock });
    const errors = record(server.errors$);
    const byHand = portal({ paths: { '/hand': {} } });
    await byHand.start();
    let left = 0;
    httpServer.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      left++;
      if (request.url === '/answered') socket.end('HTTP/1.1 418 \r\nContent-Length: 0\r\n\r\n');
      if (request.url === '/hand') byHand.handleUpgrade(request, socket, head);
    });
    const answered = refusal(calling(`${url}/answered`));
    const dispatched = opened(`${url}/hand`);
    for (const path of ['/ecko?a', '/ecko?b', '/gone']) calling(url + path);
    expect((await answered).status).toBe(418);
    await dispatched;
    await until(() => left === 5);
    clock.advance(9_900);
    expect(errors.values).toEqual([]);
    clock.advance(200);
    const said = errors.values.map(({ error }) => (error as Error).message);
    expect(said).toHaveLength(2);
    expect(said[0]).toContain('a handshake for /ecko has had no answer for 10 s: no path of this server');
    expect(said[1]).toContain('server.path("/gone", { onMessage }) would take it');
  });

  test('detach keeps open connections and takes no new ones; attached again it does', async () => {
    const { server, httpServer, attachment, url } = await attached('http');
    const client = await opened(`${url}/echo`);
    attachment.detach();
    attachment.detach();
    expect(httpServer.listenerCount('upgrade')).toBe(0);
    client.send('here');
    expect(await next(client)).toBe('here');
    server.attach(httpServer);
    await opened(`${url}/echo`);
    expect(server.connections.size).toBe(2);
  });

  test('an upgrade to something else is not ours', async () => {
    const { httpServer, port } = await attached('http');
    httpServer.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n'));
    const socket = ending(connectTcp(port, '127.0.0.1'));
    socket.end('GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    let said = '';
    for await (const chunk of socket) said += chunk;
    expect(said).toMatch(/^HTTP\/1\.1 418/);
  });
});

describe('handleUpgrade', () => {
  test('false and untouched where the path is not ours; true where it is, refusals included', async () => {
    const server = portal();
    await server.start();
    const httpServer = http.createServer();
    const answers: boolean[] = [];
    httpServer.on('upgrade', async (request, socket, head) => {
      // As a dispatcher that has to wait for something itself.
      await new Promise((resolve) => setImmediate(resolve));
      const before = [socket.listenerCount('data'), socket.readableFlowing];
      const isOurs = server.handleUpgrade(request, socket, head);
      answers.push(isOurs);
      if (isOurs) return;
      expect([socket.listenerCount('data'), socket.readableFlowing]).toEqual(before);
      socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n');
    });
    const url = `ws://127.0.0.1:${await listen(httpServer)}`;
    expect((await refusal(calling(`${url}/other`))).status).toBe(418);
    const client = await opened(`${url}/echo`);
    client.send('by hand');
    expect(await next(client)).toBe('by hand');
    expect((await refusal(calling(`${url}/echo`, { origin: 'https://elsewhere.example' }))).status).toBe(403);
    expect(answers).toEqual([false, true, true]);
  });

  test.each(['ended', 'reset'])(
    'a socket whose peer has %s is ours all the same, and makes no connection',
    async (how) => {
      const server = portal();
      await server.start();
      const httpServer = http.createServer();
      const port = await listen(httpServer);
      const came = once(httpServer, 'upgrade');
      const client = ending(connectTcp(port, '127.0.0.1'));
      client.write(requestHead());
      const [request, socket, head] = await came;
      socket.on('error', () => {});
      if (how === 'ended') client.end();
      else client.resetAndDestroy();
      socket.read(0);
      await until(() => socket.destroyed || socket.readableEnded);
      expect(server.handleUpgrade(request, socket, head)).toBe(true);
      expect(socket.destroyed).toBe(true);
      expect(server.stats().connections.handshaking).toBe(0);
    },
  );

  test('any Duplex will do', async () => {
    const server = portal();
    await server.start();
    const [ours, theirs] = duplexPair();
    let said = '';
    theirs.setEncoding('latin1').on('data', (chunk) => {
      said += chunk;
    });
    const headers = {
      host: 'a',
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    };
    const request = { method: 'GET', url: '/echo', httpVersion: '1.1', headers };
    const rawHeaders = Object.entries(headers).flat();
    const incoming = { ...request, rawHeaders } as unknown as IncomingMessage;
    expect(server.handleUpgrade(incoming, ours, Buffer.alloc(0))).toBe(true);
    theirs.write(textFrame('hello'));
    await until(() => said.endsWith('\x81\x05hello'));
    expect([...server.connections].map(({ remoteAddress }) => remoteAddress)).toEqual(['unknown']);
    theirs.destroy();
    ours.destroy();
  });
});

test('a peer that is lost is told as such', async () => {
  for (const kind of ['http', 'https'] as const) {
    const { server, url } = await attached(kind);
    const came = firstValueFrom(server.connections$);
    const client = await opened(`${url}/echo`);
    const ended = firstValueFrom((await came).closed$);
    client.terminate();
    expect((await ended).code).toBe(1006);
  }
});

describe.each(ways)('behind an answer that is under way on %s, carried by the %s', (kind, tcp) => {
  /** A page that is whole for the client before the HTTP server has ended it. */
  async function pageThenWebSocket(headers: http.OutgoingHttpHeaders = {}) {
    const end = gate();
    const httpServer = makeHttpServer(kind) as http.Server;
    httpServer.removeAllListeners('request');
    httpServer.on('request', async (_request, response) => {
      response.writeHead(200, { 'content-length': 4, ...headers }).write('page');
      await end.promise;
      response.end();
    });
    const server = portal({ tcp });
    server.attach(httpServer);
    await server.start();
    const port = await listen(httpServer);
    const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
    const client = ending(kind === 'http' ? connectTcp(to) : connectTls(to));
    let said = '';
    client.setEncoding('latin1').on('data', (chunk) => {
      said += chunk;
    });
    client.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${requestHead()}`);
    client.write(textFrame('early'));
    await until(() => said.endsWith('page'));
    return { server, client, end, said: () => said };
  }

  test('the handshake waits for its end, and nothing is lost', async () => {
    const { end, said } = await pageThenWebSocket();
    end.open();
    await until(() => said().endsWith('\x81\x05early'));
    expect(said()).toMatch(/^HTTP\/1\.1 200 .*pageHTTP\/1\.1 101 /s);
  });

  test('a peer that goes meanwhile makes no connection', async () => {
    const { server, client, end } = await pageThenWebSocket();
    client.destroy();
    end.open();
    await once(client, 'close');
    await until(() => server.stats().connections.handshaking === 0 && server.stats().connections.open === 0);
  });

  test('after the last answer of the connection there is none', async () => {
    const { server, client, end, said } = await pageThenWebSocket({ connection: 'close' });
    end.open();
    await once(client, 'close');
    expect(said()).not.toContain('101');
    expect(server.stats().opened).toBe(0);
  });
});

test.each([
  ['destroys', (socket: Socket) => void socket.destroy()],
  ['destroys with an error', (socket: Socket) => void socket.destroy(new Error('mine'))],
  ['writes to', (socket: Socket) => void socket.write('not for reading only')],
])('a callback that %s the socket of the request ends the connection', async (_, harm) => {
  const { server, url } = await attached('http');
  server.path('/destroyed', {
    authorize: ({ incoming }) => {
      if (incoming !== undefined) harm(incoming.socket);
      return true;
    },
  });
  const client = calling(`${url}/destroyed`);
  // The client may hear of an error first.
  await new Promise((resolve) => client.on('close', resolve));
  await until(() => server.stats().connections.open === 0);
});
