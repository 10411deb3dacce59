// uWebSockets.js: its own binary (never a fallback in JavaScript), no compression, its native publish for broadcasts.
import { createRequire } from 'node:module';
import { ready, roomBytes } from './ready.mjs';

const require = createRequire(import.meta.url);
const uWS = require('@trufflesuite/uws-js-unofficial');
if (!uWS.us_socket_local_port) throw new Error('no uWebSockets.js binary for this Node');

const options = {
  compression: uWS.DISABLED,
  maxPayloadLength: roomBytes,
  maxBackpressure: roomBytes,
  idleTimeout: 120,
};
const app = uWS.App();
app.ws('/echo', { ...options, message: (socket, message, isBinary) => socket.send(message, isBinary) });
app.ws('/broadcast', {
  ...options,
  open: (socket) => socket.subscribe('all'),
  message: (_socket, message, isBinary) => app.publish('all', message, isBinary),
});
app.listen('127.0.0.1', 0, (listening) => {
  if (!listening) throw new Error('could not listen');
  ready(
    uWS.us_socket_local_port(listening),
    `uWS.js ${require('@trufflesuite/uws-js-unofficial/package.json').version}`,
  );
});
