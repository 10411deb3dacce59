// Fastify 5 with a signed cookie: log in on the page, and the WebSocket on the same port knows who you are.
import { readFileSync } from 'node:fs';
import cookie from '@fastify/cookie';
import Fastify from 'fastify';
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', SECRET = 'change me' } = process.env;

const fastify = Fastify();
await fastify.register(cookie, { secret: SECRET });

const page = readFileSync(new URL('login.html', import.meta.url));
fastify.get('/', (_request, reply) => reply.type('text/html').send(page));

const name = { type: 'string', minLength: 1, maxLength: 40 };
const schema = { body: { type: 'object', properties: { name }, required: ['name'] } };
fastify.post('/login', { schema }, (request, reply) =>
  reply
    .setCookie('user', request.body.name, { signed: true, httpOnly: true, sameSite: 'lax', path: '/' })
    .code(204)
    .send(),
);

fastify.post('/logout', (request, reply) => {
  const user = userOf(request.headers.cookie);
  for (const connection of hello.connections) {
    if (connection.data.user === user) connection.close('policy-violation', 'logged out');
  }
  return reply.clearCookie('user', { path: '/' }).code(204).send();
});

/** Fastify's hooks do not run for a handshake; this reads the cookie by hand. */
function userOf(header = '') {
  const { user } = fastify.parseCookie(header);
  const { valid, value } = fastify.unsignCookie(user ?? '');
  return valid ? value : undefined;
}

const server = createServer();
const hello = server.path('/hello', {
  authorize({ incoming }) {
    const user = userOf(incoming.headers.cookie);
    return user ? { data: { user } } : { status: 401, body: 'Log in first.\n' };
  },
  onOpen(connection) {
    connection.send(`hello ${connection.data.user}`);
  },
  onMessage(connection, message) {
    connection.send(`${connection.data.user} said ${message}`);
  },
});

server.attach(fastify.server);
fastify.addHook('preClose', async () => {
  // Not returned: Fastify takes what this hook resolves to for an error.
  await server.stop();
});

try {
  await server.start();
  console.log(`listening on ${await fastify.listen({ port: Number(PORT), host: HOST })}/`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    // What is left after half a second: connections that a browser holds in reserve, and answers that take long.
    setTimeout(() => fastify.server.closeAllConnections(), 500).unref();
    await fastify.close();
  });
}
