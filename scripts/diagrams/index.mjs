// All that `npm run diagrams` writes, as text by path: one reading of the machines, many forms of it.
import { readFile } from 'node:fs/promises';
import { readChart } from './chart.mjs';
import { drawMermaid } from './mermaid.mjs';
import { buildPage } from './page.mjs';
import { writeScxml } from './scxml.mjs';
import { drawSvg, layOut } from './svg.mjs';

const PAGE_FOLDER = new URL('./page/', import.meta.url);

/** @param {{ connection: object, server: object }} machines */
export async function drawDiagrams(machines) {
  const files = new Map();
  const inline = {};
  for (const [name, { config }] of Object.entries(machines)) {
    const chart = readChart(config);
    const laid = await layOut(chart);
    files.set(`docs/diagrams/${name}.svg`, drawSvg(chart, laid));
    inline[name] = drawSvg(chart, laid, '');
    files.set(`docs/diagrams/${name}.mmd`, drawMermaid(chart));
    files.set(`docs/diagrams/${name}.scxml`, writeScxml(config, chart));
    const json = name === 'connection' ? 'machine' : `${name}-machine`;
    files.set(`docs/diagrams/${json}.json`, `${JSON.stringify(config, undefined, 2)}\n`);
  }
  const [html, css, js] = await Promise.all(
    ['page.html', 'page.css', 'page.js'].map((file) => readFile(new URL(file, PAGE_FOLDER), 'utf8')),
  );
  files.set('src/inspect/page.ts', buildPage({ html, css, js, ...inline }));
  return files;
}
