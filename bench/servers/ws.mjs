// ws: no compression unless it is asked for, no client tracking that nobody reads, its native unmasking addon where it could be installed.
import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';
import { httpServer, listen, place } from './place.mjs';
import { deflate, ready, roomBytes } from './ready.mjs';

const require = createRequire(import.meta.url);
const everyone = new Set();
const heartbeatMs = Number(process.env.BENCH_HEARTBEAT_MS ?? 0);
const carrier = place === 'port' ? undefined : httpServer();
const server = new WebSocketServer({
  ...(carrier ? { server: carrier } : { port: 0, host: '127.0.0.1', backlog: 4096 }),
  perMessageDeflate: deflate === 'level 1' ? { zlibDeflateOptions: { level: 1 } } : deflate === 'default',
  clientTracking: heartbeatMs > 0,
  maxPayload: roomBytes,
});

server.on('connection', (socket, request) => {
  socket.on('error', () => {});
  if (heartbeatMs > 0) beats(socket);
  if (request.url === '/broadcast') broadcasts(socket);
  else socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
if (carrier) listen(carrier, (port) => ready(port, version()));
else server.on('listening', () => ready(server.address().port, version()));

function broadcasts(socket) {
  everyone.add(socket);
  socket.on('close', () => everyone.delete(socket));
  socket.on('message', (data, isBinary) => {
    for (const peer of everyone) peer.send(data, { binary: isBinary });
  });
}

// The heartbeat that the manual of ws recommends (only for the curve).
function beats(socket) {
  socket.isAlive = true;
  socket.on('pong', () => {
    socket.isAlive = true;
  });
}
if (heartbeatMs > 0) {
  setInterval(() => {
    for (const socket of server.clients) {
      if (!socket.isAlive) socket.terminate();
      socket.isAlive = false;
      socket.ping();
    }
  }, heartbeatMs);
}

function version() {
  const addon = (() => {
    try {
      require('bufferutil');
      return ` with bufferutil ${require('bufferutil/package.json').version}`;
    } catch {
      return ' without bufferutil';
    }
  })();
  return `ws ${require('ws/package.json').version}${addon}`;
}
