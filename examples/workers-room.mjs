// A room: each message goes to all other members, in whichever process they are. It runs alone, too: node examples/workers-room.mjs
import { createServer } from 'portal-ws';
import { workers } from 'portal-ws/workers';

const { PORT = 5005, HOST = '127.0.0.1' } = process.env;

const server = createServer({ port: Number(PORT), host: HOST, backplane: workers() });
const room = server.topic('room');

server.path('/room', {
  onOpen(connection) {
    connection.join('room');
    connection.send(`you are served by process ${process.pid}`);
  },
  onMessage(connection, message) {
    room.publish(message, { except: connection });
  },
});

try {
  await server.start();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const { address, port, family } = server.address();
console.log(`listening on ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/room`);

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
