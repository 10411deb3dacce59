// Next's custom server with Portal attached. Next listens to 'upgrade' too, for its hot reloading; each takes its own paths.
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import next from 'next';
import { createServer } from 'portal-ws';

const { PORT = '5005', HOST = '127.0.0.1', NODE_ENV } = process.env;

const app = next({
  dev: NODE_ENV !== 'production',
  dir: fileURLToPath(new URL('.', import.meta.url)),
  hostname: HOST,
});
await app.prepare();
const handle = app.getRequestHandler();
const httpServer = http.createServer((request, response) => handle(request, response));

const server = createServer();
server.path('/echo', {
  onMessage(connection, message) {
    connection.send(message);
  },
});
server.attach(httpServer);
await server.start();

httpServer.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
httpServer.listen(Number(PORT), HOST, () => {
  console.log(`listening on http://${HOST}:${httpServer.address().port}/`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    httpServer.close();
    await server.stop();
    await app.close();
    process.exit(0);
  });
}
