// What `npm start` runs: one port that serves a page and the two paths the page talks to, and beside it, on this
// computer alone, the page that shows the server's machines.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer } from 'portal-ws';
import { inspect } from 'portal-ws/inspect';
import { workers } from 'portal-ws/workers';

const { PORT = 5005, HOST = '127.0.0.1' } = process.env;

const files = {
  '/': ['index.html', 'text/html'],
  '/style.css': ['style.css', 'text/css'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
  '/app.js': ['app.js', 'text/javascript'],
  '/bytes.js': ['bytes.js', 'text/javascript'],
  '/chart.js': ['chart.js', 'text/javascript'],
  '/chat.js': ['chat.js', 'text/javascript'],
  '/dom.js': ['dom.js', 'text/javascript'],
  '/echo.js': ['echo.js', 'text/javascript'],
  '/session.js': ['session.js', 'text/javascript'],
};

// The page loads its own files, connects to its own server, and needs nothing else.
const safety = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin', // these two give the page a clock of 5 µs instead of 100 µs
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
};

const pages = new Map(
  Object.entries(files).map(([path, [file, type]]) => [
    path,
    {
      status: 200,
      headers: { ...safety, 'Content-Type': `${type}; charset=utf-8` },
      body: readFileSync(new URL(file, import.meta.url)),
    },
  ]),
);

let inspector;
/** Where the page's link to the machines leads. */
const toInspector = () => ({ status: 302, headers: { ...safety, Location: inspector.url }, body: '' });

const server = createServer({
  port: Number(PORT),
  host: HOST,
  // Of use with --workers only: a message to the chat then reaches the members in all processes.
  backplane: workers(),
  onRequest: ({ path }) => (path === '/machines' && inspector ? toInspector() : pages.get(path)),
});

server.path('/echo', {
  onMessage(connection, message) {
    connection.send(message);
  },
});

const chat = server.topic('chat');
server.path('/chat', {
  onOpen(connection) {
    connection.join('chat');
  },
  onMessage(_sender, message) {
    chat.publish(message);
  },
});

try {
  await server.start();
  // On the next port, or on any where that one is taken. One of several processes shows nothing: it knows only its own connections.
  const onPort = (port) => inspect(server, { port });
  if (!cluster.isWorker)
    inspector = await (PORT === '0' ? onPort(0) : onPort(Number(PORT) + 1).catch(() => onPort(0)));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => server.stop().then(() => inspector?.stop()));

const { address, port, family } = server.address();
export const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
if (!cluster.isWorker || cluster.worker.id === 1) console.log(`Portal playground: ${url}`);
if (inspector) console.log(`Its machines, live: ${inspector.url}`);
