// `npm run diagrams`: writes docs/diagrams and the live page from the machines as they were built.
import { mkdir, writeFile } from 'node:fs/promises';
import { connectionMachine, serverMachine } from '../dist/index.js';
import { drawDiagrams } from './diagrams/index.mjs';

const root = new URL('../', import.meta.url);
await mkdir(new URL('docs/diagrams/', root), { recursive: true });
for (const [path, text] of await drawDiagrams({ connection: connectionMachine, server: serverMachine })) {
  await writeFile(new URL(path, root), text);
  console.log(`${path}  ${text.length} characters`);
}
