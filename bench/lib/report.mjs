// Turns the samples of a row into figures, verdicts, and the tables on the terminal and in docs/performance.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { alignedTable, figure, median, percent } from './figures.mjs';

const busyShare = 0.9;

/** Medians and ranges of every column for each server, and the targets' verdicts. `samples`: server -> results or an error. */
export function summarise(row, samples) {
  const servers = {};
  for (const [name, { results, error }] of Object.entries(samples)) {
    servers[name] = error ? { error } : {};
    if (results.length > 0) servers[name].columns = row.columns.map((column) => spread(column, results));
  }
  const targets = (row.targets ?? []).map((target) => verdict(row.better, servers, target));
  return { id: row.id, title: row.title, better: row.better, servers, targets };
}

function spread({ title, role, pick }, results) {
  const values = results.map(pick);
  return {
    title,
    ...(role && { role }),
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    values,
  };
}

const value = (server) => server?.columns?.[0].median;
const roleOf = (server, role) => server?.columns?.find((column) => column.role === role)?.median;

const cpuOf = (server) => server?.columns?.find(({ role }) => role === 'cpu')?.values;

/** The median of the ratios of each round: what disturbs a shared machine for longer than a round disturbs both. */
function paired(ours = [], theirs = []) {
  const count = Math.min(ours.length, theirs.length);
  return count === 0 ? Number.NaN : median(Array.from({ length: count }, (_, i) => ours[i] / theirs[i]));
}
const timesOf = (portal, peer) => paired(portal?.columns?.[0].values, peer?.columns?.[0].values);

function verdict(better, servers, [peer, target, name = 'portal']) {
  const { [name]: ours } = servers;
  const ratio = peer === 'self' ? value(ours) : timesOf(ours, servers[peer]);
  if (ours?.error && ours.columns) return { name, peer, target, ratio, met: false };
  if (!Number.isFinite(ratio)) return { name, peer, target };
  const byCpu = paired(cpuOf(servers[peer]), cpuOf(ours));
  const met = better === 'higher' ? ratio >= target : ratio <= target;
  return { name, peer, target, ratio, ...(Number.isFinite(byCpu) && { byCpu }), met };
}

function targetText({ better }, { name, peer, target, ratio, byCpu, met }) {
  const ours = name === 'portal' ? '' : ` (${name})`;
  const bound = `${peer === 'self' ? 'itself' : peer} ${better === 'higher' ? '≥' : '≤'} ${target}×${ours}`;
  if (met === undefined) return `${bound}: not measured`;
  const cpu = byCpu === undefined ? '' : ` (by CPU ${figure(byCpu)}×)`;
  return `${bound}: ${figure(ratio)}×${cpu}, ${met ? 'met' : 'MISSED'}`;
}

/** The row as text: one line a server, then failures, warnings and targets. */
export function rowText(summary) {
  const entries = Object.entries(summary.servers);
  const shown = entries.filter(([, server]) => server.columns);
  const titles = shown[0]?.[1].columns.map(({ title }) => title) ?? [];
  const lines = [['', titles[0] ?? '', 'min – max', ...titles.slice(1), 'Portal is', 'by CPU']];
  for (const [name, server] of shown) lines.push(serverLine(name, server, summary.servers.portal));
  return [
    `\n${summary.id}: ${summary.title}`,
    alignedTable(lines),
    ...entries.filter(([, { error }]) => error).map(([name, { error }]) => `  ${name}: ${error}`),
    ...shown.map(([name, server]) => warning(name, server)).filter(Boolean),
    ...summary.targets.map((target) => `  target, against ${targetText(summary, target)}`),
  ].join('\n');
}

function serverLine(name, server, portal) {
  const [first, ...others] = server.columns;
  const rest = others.map(({ median, role }) => (role?.endsWith('share') ? percent(median) : figure(median)));
  const times = (ratio) => (name !== 'portal' && Number.isFinite(ratio) ? `${figure(ratio)}×` : '');
  return [
    name,
    figure(first.median),
    `${figure(first.min)} – ${figure(first.max)}`,
    ...rest,
    times(timesOf(portal, server)),
    times(paired(cpuOf(server), cpuOf(portal))),
  ];
}

function warning(name, server) {
  const [own, generator] = [roleOf(server, 'server share'), roleOf(server, 'generator share')];
  if (generator > busyShare)
    return `  warning: for ${name} the generator used ${percent(generator)} of its core: compare CPU`;
  if (own < busyShare)
    return `  warning: ${name} had only ${percent(own)} of its core (a shared machine?): compare CPU`;
}

function markdownTable(report) {
  const names = Object.keys(report.versions);
  const lines = [
    `| | ${names.join(' | ')} | Portal against |`,
    `| --- |${names.map(() => ' ---: |').join('')} --- |`,
  ];
  for (const row of report.rows) {
    const cells = names.map((name) => {
      const { columns, error } = row.servers[name] ?? {};
      if (error || !columns) return error ?? '–';
      return `${figure(columns[0].median)} (${figure(columns[0].min)} – ${figure(columns[0].max)})<br>${figure(columns[1].median)}`;
    });
    const shown = Object.values(row.servers).find(({ columns }) => columns)?.columns ?? [];
    const unit = shown
      .slice(0, 2)
      .map(({ title }) => title)
      .join('; ');
    const targets = row.targets.map((target) => targetText(row, target)).join('<br>');
    lines.push(`| ${row.title}<br>*${unit}* | ${cells.join(' | ')} | ${targets || '–'} |`);
  }
  return lines.join('\n');
}

/** Writes the block between the markers in docs/performance.md. */
export function writeDocs(page, report) {
  const text = readFileSync(page, 'utf8');
  const [begin, end] = ['<!-- bench:begin -->', '<!-- bench:end -->'];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} lacks the markers ${begin} and ${end}`);
  const { environment: e } = report;
  const block = [
    begin,
    `Measured on ${report.date} by \`${report.command}\`: ${e.cpu}, ${e.cores} cores, Linux ${e.kernel}, Node ${e.node}; ` +
      `${report.rounds} interleaved rounds of ${report.seconds} s; ${e.pinned ? 'server and generator on a core each' : 'processes not pinned'}.`,
    `Servers: ${Object.values(report.versions).join(', ')}.`,
    'A cell holds the median (lowest – highest round) of the first figure named at its row, and below it the median of the second. ' +
      'Ratios are medians of the ratios of each round.',
    '',
    markdownTable(report),
    end,
  ].join('\n');
  writeFileSync(page, text.slice(0, from) + block + text.slice(to + end.length));
}
