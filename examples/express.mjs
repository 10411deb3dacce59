// Express 5 with a session: log in on the page, and the WebSocket on the same port knows who you are.
import { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import express from 'express';
import session from 'express-session';
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', SECRET = 'change me' } = process.env;

const app = express();
const sessions = session({ secret: SECRET, resave: false, saveUninitialized: false });
app.use(sessions, express.json());

app.get('/', (_request, response) =>
  response.sendFile(fileURLToPath(new URL('login.html', import.meta.url))),
);

app.post('/login', (request, response, next) => {
  // A new id, so that an id which somebody knew before is worth nothing.
  request.session.regenerate((error) => {
    if (error) return next(error);
    request.session.user = { name: String(request.body?.name ?? '').slice(0, 40) };
    response.sendStatus(204);
  });
});

app.post('/logout', (request, response, next) => {
  const id = request.sessionID;
  request.session.destroy((error) => {
    if (error) return next(error);
    for (const connection of hello.connections) {
      if (connection.data.session === id) connection.close('policy-violation', 'logged out');
    }
    response.sendStatus(204);
  });
});

/** Express's middleware does not run for a handshake; this runs the one for sessions by hand. */
function sessionOf(request) {
  return new Promise((resolve, reject) => {
    sessions(request, new ServerResponse(request), (error) =>
      error ? reject(error) : resolve(request.session),
    );
  });
}

const server = createServer();
const hello = server.path('/hello', {
  async authorize({ incoming }) {
    const { id, user } = await sessionOf(incoming);
    return user ? { data: { session: id, user } } : { status: 401, body: 'Log in first.\n' };
  },
  onOpen(connection) {
    connection.send(`hello ${connection.data.user.name}`);
  },
  onMessage(connection, message) {
    connection.send(`${connection.data.user.name} said ${message}`);
  },
});
await server.start();

const httpServer = app.listen(Number(PORT), HOST, (error) => {
  if (error) {
    console.error(error.message);
    process.exit(1);
  }
  console.log(`listening on http://${HOST}:${httpServer.address().port}/`);
});
server.attach(httpServer);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    // What is left after half a second: connections that a browser holds in reserve, and answers that take long.
    setTimeout(() => httpServer.closeAllConnections(), 500).unref();
    httpServer.close();
    await server.stop();
  });
}
