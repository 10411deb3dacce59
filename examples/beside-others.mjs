// Three WebSocket servers on one port: Portal at /echo, Socket.IO at /socket.io/, and ws at /ws.
import http from 'node:http';
import { createServer } from 'portal-ws';
import { Server as SocketIoServer } from 'socket.io';
import { WebSocketServer } from 'ws';

const { PORT = 5005, HOST = '127.0.0.1' } = process.env;

const page = `<!doctype html>
<title>Beside others</title>
<ul role="status"></ul>
<script src="/socket.io/socket.io.js"></script>
<script>
  const tell = (text) => document.querySelector('ul').append(Object.assign(document.createElement('li'), { textContent: text }));
  for (const path of ['/echo', '/ws']) {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + path);
    socket.onopen = () => socket.send('hello from ' + path);
    socket.onmessage = ({ data }) => tell(data);
  }
  const socket = io({ transports: ['websocket'] });
  socket.on('connect', () => socket.emit('echo', 'hello from Socket.IO', tell));
</script>
`;

const httpServer = http.createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(page);
});

const server = createServer();
server.path('/echo', {
  onMessage(connection, message) {
    connection.send(message);
  },
});

const io = new SocketIoServer(httpServer);
io.on('connection', (socket) => socket.on('echo', (message, answer) => answer(message)));

// With its options `server` and `path`, ws would refuse what is for Socket.IO. So it gets its own path by hand.
const ws = new WebSocketServer({ noServer: true });
ws.on('connection', (client) =>
  client.on('message', (data, isBinary) => client.send(data, { binary: isBinary })),
);
httpServer.on('upgrade', (request, socket, head) => {
  if (request.url !== '/ws') return;
  ws.handleUpgrade(request, socket, head, (client) => ws.emit('connection', client, request));
});

// What is for a path of Portal is not shown to the others, whichever comes first.
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
    // What is left after half a second: connections that a browser holds in reserve, and answers that take long.
    setTimeout(() => httpServer.closeAllConnections(), 500).unref();
    for (const client of ws.clients) client.close(1001);
    // This closes the HTTP server, too.
    io.close();
    await server.stop();
  });
}
