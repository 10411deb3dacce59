// Vite's dev server, with Portal attached by the plugin in vite.config.mjs. `npx vite` would do as well.
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

const { PORT = '5005', HOST = '127.0.0.1' } = process.env;

const vite = await createServer({
  root: fileURLToPath(new URL('.', import.meta.url)),
  server: { port: Number(PORT), host: HOST, strictPort: true },
});
await vite.listen();
console.log(`listening on http://${HOST}:${vite.httpServer.address().port}/`);

// Vite has a listener of its own for SIGTERM, which ends the process when it has closed.
process.on('SIGINT', () => vite.close());
