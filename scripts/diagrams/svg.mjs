// A chart as SVG: laid out by ELK, drawn once, lit by the live page through `data-state`, `data-arrow` and `data-event`.
import ELK from 'elkjs/lib/elk.bundled.js';

/** Widths come from the font's own ratio: a monospaced character is 0.602 of its size. */
const MONO = 0.602;
const NAME_SIZE = 14;
const TEXT_SIZE = 11;
const LINE = 14;
const PAD = 11;
const HEAD = 28;

const mono = (text) => text.length * TEXT_SIZE * MONO;
const nameWidth = (text) => text.length * NAME_SIZE * 0.6;
const xml = (text) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
const round = (value) => Math.round(value * 10) / 10;

/** Events that a state answers in place. */
const insideOf = (state) => [...new Set(state.inside.map(({ event }) => event))];

function labelOf(arrow) {
  return arrow.events.map(({ event, guard }) => ({
    event,
    text: guard === undefined ? event : `${event} [${guard}]`,
  }));
}

const elkOptions = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.edgeCoords': 'ROOT',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.nodePlacement.favorStraightEdges': 'true',
  'elk.layered.thoroughness': '20',
  'elk.spacing.nodeNode': '22',
  'elk.spacing.edgeNode': '12',
  'elk.spacing.edgeEdge': '9',
  'elk.spacing.edgeLabel': '3',
  'elk.layered.spacing.nodeNodeBetweenLayers': '20',
  'elk.layered.spacing.edgeNodeBetweenLayers': '11',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '9',
};

/** Whether all begins with this very state: then it is drawn on top, below a dot that the layout does not know of. */
const begins = (state) =>
  state.parent?.path === '' && state.parent.initial === state.name && state.children.length === 0;

function toElk(chart, state) {
  const lines = insideOf(state);
  const linesWidth = Math.ceil(Math.max(0, ...lines.map(mono)));
  const linesHeight = lines.length * LINE;
  const width = Math.ceil(Math.max(nameWidth(state.name), linesWidth, 60) + 2 * PAD);
  if (state.children.length === 0) {
    const height = state.final ? HEAD + 6 : HEAD + (lines.length > 0 ? linesHeight + 8 : 2);
    const layer = state.final ? 'LAST' : begins(state) ? 'FIRST' : 'NONE';
    const layoutOptions = { 'elk.layered.layering.layerConstraint': layer };
    return { id: state.path, width, height, layoutOptions };
  }
  const first = { 'elk.layered.layering.layerConstraint': 'FIRST' };
  const dot = { id: `${state.path}.*`, width: 10, height: 10, layoutOptions: first };
  // What a state with states inside it answers in place is a box without a frame among them, so that no arrow crosses it.
  const own = { id: `${state.path}.#`, width: linesWidth, height: linesHeight, layoutOptions: first };
  const [top, side] = state.path === '' ? [state.children.some(begins) ? 34 : 4, 4] : [HEAD + 4, PAD + 2];
  return {
    id: state.path || 'root',
    children: [
      ...(lines.length > 0 && state.path !== '' ? [own] : []),
      ...(state.children.some(begins) ? [] : [dot]),
      ...state.children.map((child) => toElk(chart, child)),
    ],
    layoutOptions: { 'elk.padding': `[top=${top},left=${side},bottom=${side},right=${side}]` },
  };
}

/** A chart's layout: the calmest of several. */
export async function layOut(chart) {
  const graph = toElk(chart, chart.root);
  const initials = [...chart.states.values()]
    .filter(({ initial, children }) => initial !== undefined && !children.some(begins))
    .map((state) => ({
      id: `${state.path}.*>`,
      sources: [`${state.path}.*`],
      targets: [[state.path, state.initial].filter(Boolean).join('.')],
    }));
  const order = [...chart.states.keys()];
  const arrows = chart.arrows.map((arrow) => {
    const forward = order.indexOf(arrow.from.path) < order.indexOf(arrow.to.path);
    const lines = labelOf(arrow);
    return {
      id: arrow.key,
      sources: [arrow.from.path],
      targets: [arrow.to.path],
      layoutOptions: { 'elk.layered.priority.direction': forward ? '10' : '0' },
      labels: [
        {
          id: `${arrow.key}!`,
          text: arrow.key,
          width: Math.ceil(Math.max(...lines.map(({ text }) => mono(text)))) + 6,
          height: lines.length * LINE,
        },
      ],
    };
  });
  const elk = new ELK();
  let best;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const layoutOptions = { ...elkOptions, 'elk.randomSeed': String(seed) };
    const laid = await elk.layout(structuredClone({ ...graph, edges: [...initials, ...arrows] }), {
      layoutOptions,
    });
    const cost = costOf(laid);
    if (best === undefined || cost < best.cost) best = { cost, laid };
  }
  return best.laid;
}

/** ELK breaks ties by chance: the calmest of these many drawings is taken. */
const SEEDS = 40;

/** How restless a drawing is: long arrows, crossings, names that are crossed, a large sheet. */
function costOf(laid) {
  const segments = segmentsOf(laid);
  let cost = 4 * laid.width + laid.height;
  for (const { from, to } of segments) cost += Math.abs(from.x - to.x) + Math.abs(from.y - to.y);
  segments.forEach((one, index) => {
    for (const other of segments.slice(index + 1))
      if (one.edge !== other.edge && cross(one, other)) cost += 300;
  });
  return cost;
}

/** The straight pieces of all arrows. */
function segmentsOf(laid) {
  return laid.edges.flatMap(({ sections: [{ startPoint, bendPoints = [], endPoint }] }, edge) => {
    const points = [startPoint, ...bendPoints, endPoint];
    return points.slice(1).map((to, index) => ({ edge, from: points[index], to }));
  });
}

/** Where along its top the name of a state with states inside stands: as far left as no arrow crosses it. */
function nameX(name, node, { x, y }, segments) {
  const last = x + node.width - PAD - nameWidth(name);
  for (let left = x + PAD; left <= last; left += 4) {
    const box = { left: left - 5, right: left + nameWidth(name) + 5, top: y + 1, bottom: y + HEAD };
    if (!segments.some((segment) => touches(segment, box))) return left;
  }
  return x + PAD;
}

function cross(a, b) {
  const [level, upright] = a.from.y === a.to.y ? [a, b] : [b, a];
  if (level.from.y !== level.to.y || upright.from.x !== upright.to.x) return false;
  const { y } = level.from;
  const { x } = upright.from;
  return between(x, level.from.x, level.to.x) && between(y, upright.from.y, upright.to.y);
}

const between = (value, a, b) => value > Math.min(a, b) && value < Math.max(a, b);

function touches({ from, to }, { left, right, top, bottom }) {
  return (
    Math.max(from.x, to.x) > left &&
    Math.min(from.x, to.x) < right &&
    Math.max(from.y, to.y) > top &&
    Math.min(from.y, to.y) < bottom
  );
}

/** The drawing of a chart, with its style. */
export function drawSvg(chart, laid) {
  const boxes = [];
  const segments = segmentsOf(laid);
  const place = (node, x, y) => {
    const at = { x: x + (node.x ?? 0), y: y + (node.y ?? 0) };
    if (node.id !== 'root') boxes.push(drawBox(chart, node, at, segments));
    for (const child of node.children ?? []) place(child, at.x, at.y);
  };
  place(laid, 0, 0);
  const drawn = laid.edges.map((edge) => drawArrow(chart, edge));
  const width = Math.ceil(laid.width);
  const height = Math.ceil(laid.height);
  const title = `${chart.id}: ${chart.description}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="statechart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${xml(title)}">`,
    `<title>${xml(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs><marker id="tip-${chart.id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 .8 7.4 4 0 7.2z"/></marker></defs>`,
    ...boxes
      .filter(({ depth }) => depth >= 0)
      .sort((a, b) => a.depth - b.depth)
      .map(({ svg }) => svg),
    ...drawn.map(({ line }) => line),
    ...drawn.map(({ label }) => label).filter(Boolean),
    '</svg>',
    '',
  ].join('\n');
}

function drawBox(chart, node, { x, y }, segments) {
  if (node.id.endsWith('.*')) {
    const r = node.width / 2;
    return { depth: 99, svg: `<circle class="initial" cx="${round(x + r)}" cy="${round(y + r)}" r="${r}"/>` };
  }
  if (node.id.endsWith('.#')) {
    const state = chart.states.get(node.id.slice(0, -2));
    return { depth: 99, svg: `<g class="own" data-state="${state.path}">${drawInside(state, x, y)}</g>` };
  }
  const state = chart.states.get(node.id);
  const compound = state.children.length > 0;
  const rect = (inset, name) =>
    `<rect class="${name}" x="${round(x + inset)}" y="${round(y + inset)}" width="${round(node.width - 2 * inset)}" height="${round(node.height - 2 * inset)}" rx="${10 - inset}"/>`;
  const lines = compound ? '' : drawInside(state, x + PAD, y + HEAD + 2);
  const rule =
    lines === '' ? '' : `<path class="rule" d="M${round(x)} ${round(y + HEAD - 1)}h${round(node.width)}"/>`;
  const name = compound
    ? `<text class="name" x="${round(nameX(state.name, node, { x, y }, segments))}" y="${round(y + 21)}">${state.name}</text>`
    : `<text class="name middle" x="${round(x + node.width / 2)}" y="${round(y + (lines === '' ? node.height / 2 + 5 : 20))}">${state.name}</text>`;
  const tip = state.description === undefined ? '' : `<title>${xml(state.description)}</title>`;
  const top = `M${round(x + 20)} ${round(y - 22)}V${round(y - 1)}`;
  const start = begins(state)
    ? `<path class="line start" d="${top}" marker-end="url(#tip-${chart.id})"/><circle class="initial" cx="${round(x + 20)}" cy="${round(y - 26)}" r="5"/>`
    : '';
  const names = ['state', compound && 'compound', state.final && 'final'].filter(Boolean).join(' ');
  const svg = `<g class="${names}" data-state="${state.path}">${tip}${rect(0, 'box')}${state.final ? rect(4, 'inner') : ''}${rule}${name}${lines}</g>${start}`;
  return { depth: state.path.split('.').length, svg };
}

function drawInside(state, x, y) {
  const line = (event, index) =>
    `<text class="inside" data-event="${event}" x="${round(x)}" y="${round(y + 11 + index * LINE)}">${event}</text>`;
  return insideOf(state).map(line).join('');
}

function drawArrow(chart, edge) {
  const [section] = edge.sections;
  const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
  const d = roundedPath(points);
  const arrow = chart.arrows.find(({ key }) => key === edge.id);
  if (arrow === undefined)
    return { line: `<path class="line start" d="${d}" marker-end="url(#tip-${chart.id})"/>` };
  const events = arrow.events.map(({ event }) => event).join(' ');
  const line = `<path class="line" data-arrow="${xml(arrow.key)}" data-events="${events}" d="${d}" marker-end="url(#tip-${chart.id})"/>`;
  const [{ x, y, width }] = edge.labels;
  const spans = labelOf(arrow).map(
    ({ event, text }, index) =>
      `<text class="event" data-event="${event}" x="${round(x + width / 2)}" y="${round(y + 11 + index * LINE)}">${xml(text)}</text>`,
  );
  return { line, label: `<g class="label" data-arrow="${xml(arrow.key)}">${spans.join('')}</g>` };
}

/** A path through the points whose corners are rounded. */
function roundedPath(points) {
  const R = 8;
  let d = `M${round(points[0].x)} ${round(points[0].y)}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [before, corner, after] = [points[i - 1], points[i], points[i + 1]];
    const inLength = Math.hypot(corner.x - before.x, corner.y - before.y);
    const outLength = Math.hypot(after.x - corner.x, after.y - corner.y);
    const r = Math.min(R, inLength / 2, outLength / 2);
    const a = {
      x: corner.x - ((corner.x - before.x) / inLength) * r,
      y: corner.y - ((corner.y - before.y) / inLength) * r,
    };
    const b = {
      x: corner.x + ((after.x - corner.x) / outLength) * r,
      y: corner.y + ((after.y - corner.y) / outLength) * r,
    };
    d += `L${round(a.x)} ${round(a.y)}Q${round(corner.x)} ${round(corner.y)} ${round(b.x)} ${round(b.y)}`;
  }
  const end = points[points.length - 1];
  return `${d}L${round(end.x)} ${round(end.y)}`;
}

/** The drawing's own look, in light and dark, where it stands alone. */
const STYLE = `
.statechart{--paper:#ffffff;--box:#f6f7f9;--nest:#ffffff;--edge:#c3c9d2;--ink:#1c2430;--soft:#5b6675;--line:#7b8796;font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--paper)}
@media (prefers-color-scheme:dark){.statechart{--paper:#0d1117;--box:#161b22;--nest:#0d1117;--edge:#3a434f;--ink:#e6ebf1;--soft:#9aa5b3;--line:#7d8896}}
.box{fill:var(--box);stroke:var(--edge);stroke-width:1.25}
.compound>.box{fill:var(--nest)}
.inner{fill:none;stroke:var(--edge);stroke-width:1.25}
.rule{stroke:var(--edge);stroke-width:1;fill:none}
.name{font-size:14px;font-weight:600;fill:var(--ink)}
.compound>.name{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.middle{text-anchor:middle}
.inside,.event{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--soft)}
.label .event{text-anchor:middle;fill:var(--soft);paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.line{fill:none;stroke:var(--line);stroke-width:1.25}
.tip,.initial{fill:var(--line)}
`.trim();
