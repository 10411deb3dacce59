// Hono on Node with a signed cookie: log in on the page, and the WebSocket on the same port knows who you are.
import { readFileSync } from 'node:fs';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie';
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', SECRET = 'change me' } = process.env;

const app = new Hono();
const page = readFileSync(new URL('login.html', import.meta.url), 'utf8');
app.get('/', (c) => c.html(page));

app.post('/login', async (c) => {
  const { name } = await c.req.json();
  const options = { httpOnly: true, sameSite: 'Lax' };
  await setSignedCookie(c, 'user', String(name ?? '').slice(0, 40), SECRET, options);
  return c.body(null, 204);
});

app.post('/logout', async (c) => {
  const user = await getSignedCookie(c, SECRET, 'user');
  for (const connection of hello.connections) {
    if (connection.data.user === user) connection.close('policy-violation', 'logged out');
  }
  deleteCookie(c, 'user');
  return c.body(null, 204);
});

/** Who is asking; behind all middleware that the app has. */
app.get('/whoami', async (c) => c.json({ user: (await getSignedCookie(c, SECRET, 'user')) || null }));

const server = createServer();
const hello = server.path('/hello', {
  // Hono's middleware does not run for a handshake; so the app is asked with the same headers, without a socket.
  async authorize({ headers }) {
    const answer = await app.request('/whoami', { headers: { cookie: headers.cookie ?? '' } });
    const { user } = await answer.json();
    return user ? { data: { user } } : { status: 401, body: 'Log in first.\n' };
  },
  onOpen(connection) {
    connection.send(`hello ${connection.data.user}`);
  },
  onMessage(connection, message) {
    connection.send(`${connection.data.user} said ${message}`);
  },
});
await server.start();

const httpServer = serve({ fetch: app.fetch, port: Number(PORT), hostname: HOST }, ({ port }) => {
  console.log(`listening on http://${HOST}:${port}/`);
});
httpServer.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
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
