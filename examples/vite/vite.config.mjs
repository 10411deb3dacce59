import { createServer } from 'portal-ws';
import { defineConfig } from 'vite';

/** Portal on the port of Vite's dev server, beside its hot module replacement. */
function portal() {
  let server;
  return {
    name: 'portal',
    async configureServer({ httpServer }) {
      server = createServer();
      server.path('/echo', {
        onMessage(connection, message) {
          connection.send(message);
        },
      });
      server.attach(httpServer);
      await server.start();
    },
    async closeBundle() {
      await server?.stop();
    },
  };
}

export default defineConfig({ plugins: [portal()] });
