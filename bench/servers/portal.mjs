// Portal, as built into dist/ (npm run build).
import { readFileSync } from 'node:fs';
import { createServer as createHttp2Server } from 'node:http2';
import * as portal from '../../dist/index.js';
import { httpServer, listen, pair, place, socketPath } from './place.mjs';
import { deflate, ready, roomBytes } from './ready.mjs';

const heartbeatMs = Number(process.env.BENCH_HEARTBEAT_MS ?? 0);
const everyone = new Set();
const LOOPBACK = { port: 0, host: '127.0.0.1' };
const own = { port: LOOPBACK, tls: { ...LOOPBACK, tls: place === 'tls' && pair() }, unix: { socketPath } };
const server = portal.createServer({
  ...own[place],
  cap: roomBytes,
  sendLimit: roomBytes,
  perMessageDeflate: deflate && { mode: deflate },
  ...(heartbeatMs > 0 ? { heartbeatInterval: heartbeatMs, pongDeadline: heartbeatMs } : {}),
  paths: {
    '/echo': { onMessage: (connection, message) => connection.send(message) },
    '/broadcast': {
      onOpen: (connection) => everyone.add(connection),
      onClose: (connection) => everyone.delete(connection),
      onMessage(_connection, message) {
        const encoded = portal.prepare ? portal.prepare(message) : message;
        for (const connection of everyone) connection.send(encoded);
      },
    },
  },
});
await server.start();
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const tell = (port) => ready(port, `Portal ${version}`);
if (place in own) {
  tell(server.address().port);
} else {
  const carrier = place === 'http2' ? createHttp2Server() : httpServer();
  server.attach(carrier);
  listen(carrier, tell);
}
