// A server of the built package, run by each runtime: node echo-server.mjs handle|socket
// It prints its port, then a line of JSON for each connection that has ended, and last the report of stop().
import { createServer } from '../../dist/index.js';

const say = (line) => console.log(JSON.stringify(line));
process.on('warning', ({ message }) => say({ warning: message }));

const server = createServer({
  port: 0,
  host: '127.0.0.1',
  tcp: process.argv[2],
  paths: {
    '/echo': {
      onMessage: (connection, message) => void connection.send(message),
      onClose: (_, { code, reason, wasClean, initiator }) => say({ code, reason, wasClean, initiator }),
    },
    '/farewell': {
      onMessage: (connection, message) => connection.close(4000, message),
      onClose: (_, { code, reason, wasClean, initiator }) => say({ code, reason, wasClean, initiator }),
    },
  },
});
await server.start();
say({ port: server.address().port });

// The first line on standard input, or its end, stops the server. Nothing else keeps the process alive then.
process.stdin.once('data', stop);
process.stdin.once('end', stop);
let isStopping = false;
async function stop() {
  if (isStopping) return;
  isStopping = true;
  const { connections, terminated } = await server.stop();
  say({ stopped: { connections, terminated } });
  process.stdin.destroy();
}
