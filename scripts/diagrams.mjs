// npm run diagrams: writes docs/diagrams from the machines in dist/. The live page takes its drawings from there, so
// `npm run build` comes before (for the machines) and after (for the page).
import { mkdir, writeFile } from 'node:fs/promises';
import { connectionMachine, linkMachine, serverMachine } from '../dist/index.js';
import { drawDiagrams } from './diagrams/index.mjs';

const root = new URL('../', import.meta.url);
await mkdir(new URL('docs/diagrams/', root), { recursive: true });
const machines = { connection: connectionMachine, server: serverMachine, link: linkMachine };
for (const [path, text] of await drawDiagrams(machines)) {
  await writeFile(new URL(path, root), text);
  console.log(`${path}  ${text.length} characters`);
}
