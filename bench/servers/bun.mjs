// Bun.serve, run by its own binary: no compression unless it is asked for, its native publish for broadcasts.
import { pair, place, socketPath } from './place.mjs';
import { deflate, ready, roomBytes } from './ready.mjs';

const server = Bun.serve({
  ...(place === 'unix' ? { unix: socketPath } : { port: 0, hostname: '127.0.0.1' }),
  ...(place === 'tls' ? { tls: pair() } : {}),
  fetch(request, server) {
    const data = request.url.endsWith('/broadcast');
    if (!server.upgrade(request, { data })) return new Response('WebSocket only', { status: 426 });
  },
  websocket: {
    perMessageDeflate: deflate && { compress: deflate, decompress: 'shared' },
    maxPayloadLength: roomBytes,
    backpressureLimit: roomBytes,
    publishToSelf: true,
    idleTimeout: 120,
    open(socket) {
      if (socket.data) socket.subscribe('all');
    },
    message(socket, message) {
      if (socket.data) server.publish('all', message);
      else socket.send(message, deflate !== false);
    },
  },
});
ready(server.port ?? 0, `Bun ${Bun.version}`);
