// A page and a WebSocket on one port: an HTTP server of Node's, with Portal attached to it.
import http from 'node:http';
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1' } = process.env;

const page = `<!doctype html>
<title>Attached</title>
<p id="said">…</p>
<script>
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo');
  socket.onopen = () => socket.send('This page and this message came through one port.');
  socket.onmessage = ({ data }) => { document.querySelector('#said').textContent = data; };
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
    httpServer.close();
    await server.stop();
  });
}
