// npm run reference: writes docs/reference from the source and from dist/. With `--check` it only says what has drifted.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { makePages } from './reference/pages.mjs';

const folder = new URL('../docs/reference/', import.meta.url);
const files = readdirSync(folder);
const made = await makePages();
const stale = files.filter((file) => !made.has(file));
const isCurrent = ([file, text]) =>
  files.includes(file) && readFileSync(new URL(file, folder), 'utf8') === text;
const drifted = [...made].filter((page) => !isCurrent(page)).map(([file]) => file);

if (!process.argv.includes('--check')) {
  for (const file of drifted) writeFileSync(new URL(file, folder), made.get(file));
  for (const file of stale) rmSync(new URL(file, folder));
} else if (drifted.length + stale.length > 0) {
  const wrong = [...drifted, ...stale].map((file) => `docs/reference/${file}`);
  console.error(`${wrong.join(', ')}: not what the source says; npm run reference writes them`);
  process.exitCode = 1;
}
