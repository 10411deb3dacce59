// A chat with rooms, and the page to talk in: open the printed address twice. A room is a topic: who is there is its
// presence, and who comes in hears its last fifty news first.
import { readFileSync } from 'node:fs';
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1' } = process.env;
const headers = { 'Content-Type': 'text/html; charset=utf-8' };
const page = { status: 200, headers, body: readFileSync(new URL('page.html', import.meta.url)) };

const server = createServer({
  port: Number(PORT),
  host: HOST,
  onRequest: ({ path }) => (path === '/' ? page : undefined),
});

const rooms = server.topics('room.*', {
  codec: { decode: JSON.parse, encode: JSON.stringify },
  presence: ({ data }) => data.name,
  history: { size: 50 },
});

server.path('/rooms/:room', {
  authorize({ query, params }) {
    const name = query.get('name')?.trim().slice(0, 40);
    if (!name) return { status: 401, body: 'Say who you are: ?name=…\n' };
    if (params.room.length > 100) return { status: 414, body: 'A room has a shorter name.\n' };
    const room = rooms.topic({ '*': params.room });
    return { data: { name, room }, join: [{ topic: room.name, last: 50 }] };
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
function tell({ data: { name, room } }, did, text) {
  room.publish({ name, did, text, members: [...room.presence.values()] });
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
