/** A request that asks for a protocol that nobody speaks is answered as if it had not asked. */
import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener } from 'node:http';
import https from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { asksForWebSocket } from '../../src/server/without-upgrade.ts';
import { certificate, ending, listen, portal } from '../support/attached.ts';
import { hasOpenssl } from '../support/certificates.ts';
import { until } from '../support/serving.ts';

test.each([
  ['websocket', true],
  ['h2c, WebSocket', true],
  ['h2c', false],
  ['', false],
])('%s asks for a WebSocket: %s', (upgrade, asks) => {
  const rawHeaders = ['Host', 'upgrade', 'UPGRADE', upgrade];
  expect(asksForWebSocket({ rawHeaders } as IncomingMessage)).toBe(asks);
});

test('a request without the field asks for none; several fields are one list', () => {
  expect(asksForWebSocket({ rawHeaders: ['Host', 'websocket'] } as IncomingMessage)).toBe(false);
  const rawHeaders = ['Upgrade', 'h2c', 'Upgrade', 'websocket'];
  expect(asksForWebSocket({ rawHeaders } as IncomingMessage)).toBe(true);
});

/** Answers with what it got. */
const mirror: RequestListener = async (request, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  const { method, url } = request;
  const name = request.headers['x-name'] as string | undefined;
  const got = JSON.stringify([method, url, name?.replace('\xe9', 'e'), body]);
  response.end(`${got}\n`);
};

async function attachedTo(httpServer: http.Server | https.Server): Promise<number> {
  const server = portal();
  server.attach(httpServer);
  await server.start();
  return listen(httpServer);
}

/** As Java's HttpClient asks. */
const asking = (line: string, more = '') =>
  `${line} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n` +
  `HTTP2-Settings: AAEAAEAA\r\nX-Name: \xe9\r\n${more}\r\n`;

test.each(['http', ...(hasOpenssl ? ['https'] : [])])(
  'h2c over %s: each request gets its answer, the body and what follows included',
  async (kind) => {
    const isTls = kind === 'https';
    const port = await attachedTo(
      isTls ? https.createServer(certificate(), mirror) : http.createServer(mirror),
    );
    const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
    const socket = ending(isTls ? connectTls(to) : connectTcp(to));
    socket.setEncoding('latin1');
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk;
    });
    const answers = () => said.match(/^HTTP.*|\[.*\]/gm) ?? [];
    socket.write(asking('POST /first', 'Content-Length: 10\r\n'), 'latin1');
    socket.write('half ');
    await once(socket, isTls ? 'secureConnect' : 'connect');
    socket.write('whole', 'latin1');
    await until(() => answers().length === 2);
    socket.write(asking('GET /second'), 'latin1');
    await until(() => answers().length === 4);
    socket.end('GET /third HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'close');
    expect(answers()).toEqual([
      'HTTP/1.1 200 OK',
      '["POST","/first","e","half whole"]',
      'HTTP/1.1 200 OK',
      '["GET","/second","e",""]',
      'HTTP/1.1 200 OK',
      '["GET","/third",null,""]',
    ]);
  },
);

test('several at once are answered in turn', async () => {
  const port = await attachedTo(http.createServer(mirror));
  const socket = ending(connectTcp(port, '127.0.0.1'));
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  const paths = ['/1', '/2', '/3', '/4', '/5'];
  socket.write(paths.map((path) => asking(`GET ${path}`)).join(''), 'latin1');
  await until(() => said.includes('/5'));
  expect(said.match(/\/\d(?=")/g)).toEqual(paths);
});

test('without anybody who answers requests it is refused', async () => {
  const port = await attachedTo(http.createServer());
  const socket = ending(connectTcp(port, '127.0.0.1'));
  socket.write(asking('GET /'));
  let said = '';
  for await (const chunk of socket) said += chunk;
  expect(said).toMatch(/^HTTP\/1\.1 4\d\d /);
});
