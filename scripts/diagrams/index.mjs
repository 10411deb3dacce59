// All that `npm run diagrams` writes, as text by path. Each form is made from the same reading of the machine (chart.mjs).
import { readChart } from './chart.mjs';
import { drawMermaid } from './mermaid.mjs';
import { writeScxml } from './scxml.mjs';
import { drawSvg, layOut } from './svg.mjs';

/** @param {{ connection: object, server: object, link: object }} machines */
export async function drawDiagrams(machines) {
  const files = new Map();
  for (const [name, { config }] of Object.entries(machines)) {
    const chart = readChart(config);
    files.set(`docs/diagrams/${name}.svg`, drawSvg(chart, await layOut(chart)));
    files.set(`docs/diagrams/${name}.mmd`, drawMermaid(chart));
    files.set(`docs/diagrams/${name}.scxml`, writeScxml(config, chart));
    const json = name === 'connection' ? 'machine' : `${name}-machine`;
    files.set(`docs/diagrams/${json}.json`, `${JSON.stringify(config, undefined, 2)}\n`);
  }
  return files;
}
