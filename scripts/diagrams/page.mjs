// The live page as one module: HTML, style, script and drawings in one string, and the policy that lets in only these.
import { createHash } from 'node:crypto';

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

export function buildPage({ html, css, js, connection, server }) {
  const page = html
    .replace('<link rel="stylesheet" href="page.css">', () => `<style>${css}</style>`)
    .replace('<script type="module" src="page.js"></script>', () => `<script type="module">${js}</script>`)
    .replace('<!--connection-->', () => connection.trim())
    .replace('<!--server-->', () => server.trim())
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
  return [
    '/**',
    ' * The live page, whole: made by `npm run diagrams` from scripts/diagrams/page and the machines. Do not edit.',
    ' */',
    `export const PAGE: string = ${literal(page)};`,
    '',
    '/** The Content-Security-Policy under which it runs: its own style and script, and the feed. */',
    `export const PAGE_POLICY: string = ${literal(policy)};`,
    '',
  ].join('\n');
}

const literal = (text) => `\`${text.replace(/[\\`]|\$(?=\{)/g, '\\$&')}\``;
