// Sends each message to everyone on the path, its sender included.
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', CAP, MAX_FRAGMENTS } = process.env;

const server = createServer({
  port: Number(PORT),
  host: HOST,
  cap: CAP ? Number(CAP) : undefined,
  maxFragments: MAX_FRAGMENTS ? Number(MAX_FRAGMENTS) : undefined,
});

const chat = server.path('/chat', {
  onMessage(_sender, message) {
    chat.broadcast(message);
  },
});

try {
  await server.start();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const { address, port, family } = server.address();
console.log(`listening on ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/chat`);

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
