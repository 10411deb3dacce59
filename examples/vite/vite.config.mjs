import { createServer } from 'portal-ws';
import { defineConfig } from 'vite';

/** Portal on the port of Vite's dev server, beside its hot module replacement. */
const portal = {
  name: 'portal',
  async configureServer({ httpServer }) {
    const server = createServer();
    server.path('/echo', {
      onMessage(connection, message) {
        connection.send(message);
      },
    });
    server.attach(httpServer);
    await server.start();
    httpServer.once('close', () => server.stop());
  },
};

export default defineConfig({ plugins: [portal] });
