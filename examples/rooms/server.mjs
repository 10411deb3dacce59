// A chat with rooms, and the page to talk in: open the printed address twice.
import { readFileSync } from 'node:fs';
import { createServer, prepare } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1' } = process.env;
const headers = { 'Content-Type': 'text/html; charset=utf-8' };
const page = { status: 200, headers, body: readFileSync(new URL('page.html', import.meta.url)) };

const server = createServer({
  port: Number(PORT),
  host: HOST,
  onRequest: ({ path }) => (path === '/' ? page : undefined),
});

const rooms = server.path('/rooms/:room', {
  authorize({ query }) {
    const name = query.get('name')?.trim().slice(0, 40);
    return name ? { data: { name } } : { status: 401, body: 'Say who you are: ?name=…\n' };
  },
  // Lines of text come in, news go out as JSON.
  codec: {
    decode(message) {
      if (typeof message !== 'string' || message.length > 2000) throw new Error('a line of text, please');
      return message;
    },
    encode: (news) => JSON.stringify(news),
  },
  onOpen: (member) => tell(member, 'joined'),
  onMessage: (member, text) => tell(member, 'said', text),
  onClose: (member) => tell(member, 'left'),
});

/** Tells a room what one of its members did; the message is encoded once for all. */
function tell({ params: { room }, data: { name } }, did, text) {
  const members = [...rooms.connections].filter((member) => member.params.room === room);
  const names = members.map((member) => member.data.name);
  const news = prepare(JSON.stringify({ name, did, text, members: names }));
  for (const member of members) member.send(news);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
try {
  await server.start();
  const { address, port } = server.address();
  console.log(`a chat with rooms on http://${address}:${port}/`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
