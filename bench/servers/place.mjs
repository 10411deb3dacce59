// Where a server listens, as BENCH_PLACE says: port, http, https, tls, unix, http2. One certificate for all of them.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

export const place = process.env.BENCH_PLACE ?? 'port';
export const socketPath = process.env.BENCH_SOCKET;

const folder = new URL('../build/', import.meta.url);
export const files = { key: new URL('key.pem', folder).pathname, cert: new URL('cert.pem', folder).pathname };
export const pair = () => ({ key: readFileSync(files.key), cert: readFileSync(files.cert) });

/** The HTTP server of the place; on a Unix socket too, for those that need one there. */
export const httpServer = () =>
  place === 'https' || place === 'tls' ? https.createServer(pair()) : http.createServer();

/** Lets it listen; `told` gets the port, which is 0 on a Unix socket. */
export function listen(server, told) {
  const at = place === 'unix' ? { path: socketPath } : { port: 0, host: '127.0.0.1' };
  server.listen({ ...at, backlog: 4096 }, () => told(server.address().port ?? 0));
}
