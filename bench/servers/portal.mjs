// Portal, as built into dist/ (npm run build).
import { readFileSync } from 'node:fs';
import * as portal from '../../dist/index.js';
import { ready, roomBytes } from './ready.mjs';

const heartbeatMs = Number(process.env.BENCH_HEARTBEAT_MS ?? 0);
const everyone = new Set();
const server = portal.createServer({
  port: 0,
  host: '127.0.0.1',
  cap: roomBytes,
  sendLimit: roomBytes,
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
ready(server.address().port, `Portal ${version}`);
