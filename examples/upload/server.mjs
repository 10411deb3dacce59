// An upload that streams its fragments to disk: memory stays flat however large the file, and a slow disk holds the
// sender back by TCP, because little more is read until a handler's promise has settled (option `readAhead`).
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer } from 'portal-ws';

const { PORT = 5005, HOST = '127.0.0.1', FOLDER = 'uploads' } = process.env;
const headers = { 'Content-Type': 'text/html; charset=utf-8' };
const page = { status: 200, headers, body: readFileSync(new URL('page.html', import.meta.url)) };
await mkdir(FOLDER, { recursive: true });

const server = createServer({
  port: Number(PORT),
  host: HOST,
  cap: 256 * 1024 ** 2, // of one message; a larger file comes as several
  sendLimit: 1024 ** 2, // the default is cap, where that is larger
  maxFragments: 1_000_000,
  messageDeadline: 3_600_000,
  onRequest: ({ path }) => (path === '/' ? page : undefined),
});

// One connection is one file: binary frames are its content, the text "end" finishes it.
server.path('/upload/:name', {
  authorize({ params: { name } }) {
    if (!/^\w[\w.-]{0,99}$/.test(name)) return { status: 400, body: 'A plain file name, please.\n' };
    return { data: { part: join(FOLDER, `.${randomUUID()}.part`), hash: createHash('sha256'), bytes: 0 } };
  },
  async onOpen({ data }) {
    data.file = await open(data.part, 'wx');
  },
  async onFragment(connection, { opcode, data: piece }) {
    const { data, params } = connection;
    if (opcode === 'binary') {
      data.bytes += piece.length;
      data.hash.update(piece);
      await data.file.appendFile(piece);
    } else if (piece === 'end') {
      await data.file.close();
      await rename(data.part, join(FOLDER, params.name));
      connection.send(
        JSON.stringify({ name: params.name, bytes: data.bytes, sha256: data.hash.digest('hex') }),
      );
      connection.close();
    } else {
      connection.close('invalid-type', 'binary, then "end"');
    }
  },
  async onClose({ data }) {
    await data.file?.close();
    await rm(data.part, { force: true }); // what was not finished
  },
});

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.stop());
try {
  await server.start();
  const { address, port } = server.address();
  console.log(`uploads to ${FOLDER} on http://${address}:${port}/`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
