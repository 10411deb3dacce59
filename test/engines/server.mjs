// One process of several: a message of a member goes to all other members of its topic, everywhere. What the tests want to know
// is told by IPC.
import { createServer } from 'portal-ws';

const { ENGINE, CLIENT, PING } = process.env;
const pingInterval = Number(PING);
const engines = {
  async nats() {
    const { nats } = await import('portal-ws/nats');
    return nats({ servers: ENGINE, pingInterval });
  },
  async ioredis() {
    const [{ Redis }, { redis }] = await Promise.all([import('ioredis'), import('portal-ws/redis')]);
    return redis({ client: new Redis(ENGINE, { lazyConnect: true }), pingInterval });
  },
  async redis() {
    const [{ createClient }, { redis }] = await Promise.all([import('redis'), import('portal-ws/redis')]);
    return redis({ client: createClient({ url: ENGINE }), pingInterval });
  },
};

const backplane = await engines[CLIENT]();
/** How many messages the engine has delivered, by topic. */
const delivered = {};
const start = backplane.start.bind(backplane);
backplane.start = (deliver, ...others) => {
  const count = (topic, ...message) => {
    delivered[topic] = (delivered[topic] ?? 0) + 1;
    deliver(topic, ...message);
  };
  return start(count, ...others);
};

const server = createServer({ port: 0, host: '127.0.0.1', backplane });

server.path('/:topic', {
  authorize: ({ params }) => ({ join: [params.topic] }),
  onOpen(connection) {
    connection.send(connection.uid);
  },
  onMessage(connection, message) {
    server.topic(connection.params.topic).publish(message, { except: connection });
  },
});

server.errors$.subscribe(({ error }) => process.send({ error: error.message }));
server.backplane.state$.subscribe((state) => process.send({ state }));
server.topic('gaps').gap$.subscribe((gap) => process.send({ gap }));

process.on('message', ({ publish, stop }) => {
  if (publish !== undefined) server.topic(publish.topic).publish(publish.text, { except: publish.except });
  else if (stop) server.stop().then(() => process.disconnect());
  else process.send({ stats: { ...server.stats().backplane, byTopic: delivered } });
});

await server.start();
process.send({ port: server.address().port });
