// A live dashboard of this process: one RxJS interval measures, and everybody who watches gets each reading.
import { readFileSync } from 'node:fs';
import { createServer, prepare } from 'portal-ws';
import { map, pairwise, share, startWith, takeUntil, timer } from 'rxjs';

const { PORT = 5005, HOST = '127.0.0.1', EVERY_MS = 1000 } = process.env;
const headers = { 'Content-Type': 'text/html; charset=utf-8' };
const page = { status: 200, headers, body: readFileSync(new URL('page.html', import.meta.url)) };

const server = createServer({
  port: Number(PORT),
  host: HOST,
  onRequest: ({ path }) => (path === '/' ? page : undefined),
});

const measure = () => ({
  at: Date.now(),
  cpu: process.cpuUsage(),
  memory: process.memoryUsage(),
  stats: server.stats(),
});

// Measured while somebody watches, once for all of them, and encoded once.
const readings$ = timer(0, Number(EVERY_MS)).pipe(
  map(measure),
  startWith(measure()),
  pairwise(),
  map(([before, now]) => ({
    at: now.at,
    watchers: now.stats.connections.open,
    megabytes: now.memory.rss / 1e6,
    cpuPercent:
      (now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system) /
      10 /
      Math.max(1, now.at - before.at),
    messagesOut: now.stats.messagesOut,
  })),
  map((reading) => prepare(JSON.stringify(reading))),
  share(),
);

server.path('/live', { onMessage() {} }).connections$.subscribe((watcher) => {
  // With a key, the newest reading replaces one that still waits for a slow reader.
  readings$
    .pipe(takeUntil(watcher.closed$))
    .subscribe((reading) => watcher.send(reading, { key: 'reading' }));
});

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
try {
  await server.start();
  const { address, port } = server.address();
  console.log(`a live dashboard on http://${address}:${port}/`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
