// uWebSockets.js: its own binary (never a fallback in JavaScript), no compression unless it is asked for, its native publish for broadcasts.
import { createRequire } from 'node:module';
import { files, place, socketPath } from './place.mjs';
import { deflate, ready, roomBytes } from './ready.mjs';

const require = createRequire(import.meta.url);
const uWS = require('@trufflesuite/uws-js-unofficial');
if (!uWS.us_socket_local_port) throw new Error('no uWebSockets.js binary for this Node');

const options = {
  compression:
    { shared: uWS.SHARED_COMPRESSOR, dedicated: uWS.DEDICATED_COMPRESSOR }[deflate] ?? uWS.DISABLED,
  maxPayloadLength: roomBytes,
  maxBackpressure: roomBytes,
  idleTimeout: 120,
};
const app =
  place === 'tls' ? uWS.SSLApp({ key_file_name: files.key, cert_file_name: files.cert }) : uWS.App();
app.ws('/echo', {
  ...options,
  message: (socket, message, isBinary) => socket.send(message, isBinary, deflate !== false),
});
app.ws('/broadcast', {
  ...options,
  open: (socket) => socket.subscribe('all'),
  message: (_socket, message, isBinary) => app.publish('all', message, isBinary),
});
const { version } = require('@trufflesuite/uws-js-unofficial/package.json');
const told = (listening) => {
  if (!listening) throw new Error('could not listen');
  ready(place === 'unix' ? 0 : uWS.us_socket_local_port(listening), `uWS.js ${version}`);
};
if (place === 'unix') app.listen_unix(told, socketPath);
else app.listen('127.0.0.1', 0, told);
