// A program that runs as it is, and as several processes. Each message goes to the other members of the topic.
import { existsSync } from 'node:fs';

const { PORT = '0', BROKEN = '', OWN_END = '', SILENT = '' } = process.env;
if (BROKEN !== '' && existsSync(BROKEN)) {
  console.error('this program is broken');
  process.exit(3);
}
const { createServer } = await import('portal-ws');
const { workers } = await import('portal-ws/workers');

const server = createServer({ port: Number(PORT), host: '127.0.0.1', backplane: workers() });
server.path('/topics/:topic', {
  onOpen(connection) {
    connection.join(connection.params.topic);
    connection.send(`${process.pid}`);
  },
  onMessage(connection, message) {
    server.topic(connection.params.topic).publish(message, { except: connection });
  },
});
if (OWN_END !== '') process.on('SIGTERM', () => server.stop({ code: 4000, reason: 'by its own handler' }));

if (SILENT !== '') {
  setInterval(() => {}, 1000);
} else {
  try {
    await server.start();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
  console.log(`port ${server.address().port}`);
  const link = server.backplane;
  link.state$.subscribe((state) => state === 'up' && console.log(`up ${process.pid}`));
}
