// Sends each message back as it came: text as text, binary as binary.
// DEFLATE=1 compresses messages, DEFLATE=contexts with a context for each connection.
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', CAP, MAX_FRAGMENTS, DEFLATE } = process.env;

const server = createServer({
  port: Number(PORT),
  host: HOST,
  cap: CAP ? Number(CAP) : undefined,
  perMessageDeflate: DEFLATE === 'contexts' ? { mode: 'contexts' } : DEFLATE === '1',
  maxFragments: MAX_FRAGMENTS ? Number(MAX_FRAGMENTS) : undefined,
});

server.path('/echo', {
  onMessage(connection, message) {
    connection.send(message);
  },
});

try {
  await server.start();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const { address, port, family } = server.address();
console.log(`listening on ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/echo`);

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
