// npm run build:page: writes src/inspect/page.ts, the live page in one string, from the files of src/inspect/page and
// the drawings of docs/diagrams. The page is one document that loads nothing, so its policy can forbid everything else.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
/** A drawing without its style element: the page has styles of its own for it. */
const drawing = (name) =>
  read(`docs/diagrams/${name}.svg`)
    .replace(/<style>[\s\S]*?<\/style>\n/, '')
    .trim();
const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const literal = (text) => `\`${text.replace(/[\\`]|\$(?=\{)/g, '\\$&')}\``;

const css = read('src/inspect/page/page.css');
const js = read('src/inspect/page/page.js');
// Functions as replacements: a string would give a meaning to `$&` in the text that is put in.
const page = read('src/inspect/page/page.html')
  .replace('<link rel="stylesheet" href="page.css">', () => `<style>${css}</style>`)
  .replace('<script type="module" src="page.js"></script>', () => `<script type="module">${js}</script>`)
  .replace('<!--connection-->', () => drawing('connection'))
  .replace('<!--server-->', () => drawing('server'))
  .replace(/ *<!-- biome-ignore .*-->\n/g, '');
const policy = [
  "default-src 'none'",
  `style-src ${hash(css)}`,
  `script-src ${hash(js)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

writeFileSync(
  new URL('../src/inspect/page.ts', import.meta.url),
  `/** The live page. Made by \`npm run build:page\`; edit src/inspect/page. */
export const PAGE: string = ${literal(page)};

/** The Content-Security-Policy of the page: its own style and script, and requests to its own server. */
export const PAGE_POLICY: string = ${literal(policy)};
`,
);
