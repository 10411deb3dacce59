// A message of one member of a topic goes to all its other members, as its own type: text as text, binary as binary.
//
//   ws://127.0.0.1:5005/topics/news                 joins the topic "news"
//   ws://127.0.0.1:5005/topics/news?since=          the same, and each message says where it stands: its first line is its
//                                                   position, epoch.offset, and the rest is the message
//   ws://127.0.0.1:5005/topics/news?since=abc.12    the same, after all that was published since that position
//
// With BACKPLANE=nats://127.0.0.1:4222 or redis://127.0.0.1:6379, members in all processes that have the same one hear each other.
//
// With `since`, the first message is JSON: { position, recovered, missed }. Not recovered: some of it is gone for ever. Of
// what a client missed, its own messages are a part, too: it comes back as another connection.
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', HISTORY = 1000, BACKPLANE } = process.env;
const MAX_NAME = 200;

/** What joins this process with others; the packages of engines are only loaded when they are asked for. */
async function engineOf(url) {
  if (url.startsWith('nats:')) {
    const { nats } = await import('portal-ws/nats');
    return nats({ servers: url });
  }
  const [{ Redis }, { redis }] = await Promise.all([import('ioredis'), import('portal-ws/redis')]);
  return redis({ client: new Redis(url, { lazyConnect: true }) });
}

// A message of a client may be as large as it may be by itself: `sendLimit` has room for its position beside it.
const server = createServer({
  port: Number(PORT),
  host: HOST,
  sendLimit: 2 * 1024 * 1024,
  backplane: BACKPLANE ? await engineOf(BACKPLANE) : undefined,
});

if (server.backplane !== undefined) {
  const { name, state$ } = server.backplane;
  state$.subscribe((state) => console.error(`${name} is ${state}`));
  server.errors$.subscribe(({ error }) => console.error(error.message));
}

const topics = server.topics('topics.*', { history: { size: Number(HISTORY) } });

server.path('/topics/:topic', {
  authorize({ params, query }) {
    if (params.topic.length > MAX_NAME)
      return { status: 414, body: `a topic has up to ${MAX_NAME} characters\n` };
    const topic = topics.topic({ '*': params.topic });
    const positions = query.has('since');
    const first = ({ position, recovered, missed }) => JSON.stringify({ position, recovered, missed });
    // Joined as it opens: no message is published in between that it would miss.
    return {
      data: topic,
      join: [
        { topic: topic.name, since: query.get('since'), positions, first: positions ? first : undefined },
      ],
    };
  },
  onMessage(connection, message) {
    connection.data.publish(message, { except: connection });
  },
});

try {
  await server.start();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const { address, port, family } = server.address();
console.log(`listening on ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/topics/:topic`);

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
