/**
 * HTTP servers of Node's, each kind, with a Portal server attached, for tests. Whatever a test leaves running is ended.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { WebSocket } from 'ws';
import { type AnyHttpServer, createServer, type Server, type ServerOptions } from '../../src/index.ts';

export type Kind = 'http' | 'https' | 'http2' | 'http2 with TLS';

let pair: { key: Buffer; cert: Buffer } | undefined;

/** A key and a certificate for localhost, made once for a test file. */
export function certificate(): { key: Buffer; cert: Buffer } {
  if (pair !== undefined) return pair;
  const folder = mkdtempSync(join(tmpdir(), 'portal-certificate-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const kind =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'.split(' ');
  const files = [
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ];
  execFileSync('openssl', ['req', ...kind, ...files], { stdio: 'ignore' });
  pair = { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  rmSync(folder, { recursive: true });
  return pair;
}

/** A page for plain requests. */
const page = (_request: unknown, response: { end(body: string): unknown }) => void response.end('the page');

export function makeHttpServer(kind: Kind): AnyHttpServer {
  if (kind === 'http') return http.createServer(page);
  if (kind === 'https') return https.createServer(certificate(), page);
  if (kind === 'http2') return http2.createServer(page);
  return http2.createSecureServer({ ...certificate(), allowHTTP1: true }, page);
}

const servers = new Set<Server>();
const httpServers = new Map<AnyHttpServer, Set<Socket>>();
const others = new Set<{ destroy(): unknown }>();

/** Is destroyed after the test. */
export function ending<T extends { destroy(): unknown }>(item: T): T {
  others.add(item);
  return item;
}

afterEach(async () => {
  for (const item of others) item.destroy();
  others.clear();
  await Promise.all([...servers].map((server) => server.stop({ deadline: 0 })));
  servers.clear();
  for (const [server, sockets] of httpServers) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
  httpServers.clear();
});

/** Lets it listen on a free port of the loopback, which is returned. */
export async function listen(server: AnyHttpServer): Promise<number> {
  const sockets = new Set<Socket>();
  httpServers.set(server, sockets);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  (server as http.Server).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server without a port, not started, with an echo at `/echo`. */
export function portal(options: ServerOptions = {}): Server {
  const server = createServer(options);
  servers.add(server);
  server.path('/echo', {
    onMessage: (connection, message) => void connection.send(message),
  });
  return server;
}

/** An HTTP server that listens, with a started Portal server attached to it. */
export async function attached(kind: Kind, options: ServerOptions = {}) {
  const server = portal(options);
  const httpServer = makeHttpServer(kind);
  const attachment = server.attach(httpServer);
  await server.start();
  const port = await listen(httpServer);
  const scheme = kind === 'https' || kind === 'http2 with TLS' ? 'wss' : 'ws';
  return { server, httpServer, attachment, port, url: `${scheme}://127.0.0.1:${port}` };
}

/** A client of the library ws that has not been answered. */
export function calling(
  url: string,
  options: WebSocket.ClientOptions = {},
  protocols: string[] = [],
): WebSocket {
  const client = new WebSocket(url, protocols, { rejectUnauthorized: false, ...options });
  client.on('error', () => {});
  return ending(Object.assign(client, { destroy: () => client.terminate() }));
}

export async function opened(url: string, options: WebSocket.ClientOptions = {}): Promise<WebSocket> {
  const client = calling(url, options);
  await once(client, 'open');
  return client;
}

/** The status and the body of a refusal. */
export async function refusal(client: WebSocket): Promise<{ status: number; body: string }> {
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, http.IncomingMessage];
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode ?? 0, body };
}

/** What comes next, as text. */
export async function next(client: WebSocket): Promise<string> {
  const [data] = await once(client, 'message');
  return String(data);
}

/** A session of HTTP/2, once its peer has told its settings. */
export async function session(
  port: number,
  scheme: 'http' | 'https' = 'http',
): Promise<http2.ClientHttp2Session> {
  const client = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  client.on('error', () => {});
  await once(client, 'remoteSettings');
  return ending(client);
}

/** Sends an extended CONNECT (RFC 8441); not answered yet. */
export function connect(
  client: http2.ClientHttp2Session,
  path: string,
  headers: http2.OutgoingHttpHeaders = {},
): http2.ClientHttp2Stream {
  const stream = client.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': path,
    'sec-websocket-version': '13',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

/** Headers and body of the answer to a stream that is refused. */
export async function answerOf(stream: http2.ClientHttp2Stream) {
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  let body = '';
  for await (const chunk of stream) body += chunk;
  return { status: headers[':status'], headers, body };
}
