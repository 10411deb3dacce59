// npm run bench: every row against every server, in interleaved rounds. --help lists the options.
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prepareBench } from './lib/build.mjs';
import { chosen } from './lib/options.mjs';
import { absence, loadFresh, pinned, servers } from './lib/processes.mjs';
import { rowText, summarise, writeDocs } from './lib/report.mjs';
import { rows } from './rows.mjs';

const help = `npm run bench -- [options]
  --rows a,b       only these rows          --list      print the rows
  --servers a,b    only these servers       (${Object.keys(servers).join(', ')})
  --rounds 5       rounds per row           --seconds 2  measured time of each    --warmup 0.5
  --text           echo rows send text instead of binary
  --poll           the generator never sleeps: servers do not pay for waking it
  --quick          the promised rows only, short: under two minutes
  --json FILE      write all figures        --docs      write the table in docs/performance.md`;

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };
const { values: given } = parseArgs({
  options: {
    ...{ rows: text, servers: text, rounds: text, seconds: text, warmup: text, json: text },
    ...{ text: flag, poll: flag, quick: flag, docs: flag, list: flag, help: flag },
  },
});
const rounds = Number(given.rounds ?? (given.quick ? 2 : 5));
const seconds = Number(given.seconds ?? (given.quick ? 0.5 : 2));
const warmup = Number(given.warmup ?? 0.5);
const log = (line) => process.stderr.write(`${line}\n`);

if (given.help || given.list) {
  console.log(given.help ? help : rows.map((row) => `${row.id.padEnd(17)}${row.title}`).join('\n'));
  process.exit(0);
}

const allServers = Object.keys(servers);
const serverNames = chosen(
  given.servers,
  allServers,
  given.quick ? allServers.filter((name) => name !== 'c') : allServers,
);
const allRows = rows.map((row) => row.id);
const rowIds = chosen(
  given.rows,
  allRows,
  given.quick ? rows.filter((row) => row.quick).map((row) => row.id) : allRows,
);

prepareBench(log);
const absent = Object.fromEntries(serverNames.map((name) => [name, absence(name)]));
const summaries = [];
const versions = {};

/** Half of what the slowest rival does in echo-64, so that nobody is overloaded: one rate for all, found once. */
let rate;
async function halfOfSlowest() {
  if (rate) return rate;
  const measured = summaries.find((summary) => summary.id === 'echo-64');
  const capacities = [];
  for (const name of serverNames.filter((name) => !servers[name].floor && !absent[name])) {
    const known = measured?.servers[name]?.columns?.[0].median;
    capacities.push(
      known ??
        (await loadFresh(name, { mode: 'closed', payload: 64, conns: 100, warmup, seconds }))
          .messagesPerSecond,
    );
  }
  rate = Math.floor(Math.min(...capacities) / 2);
  return rate;
}

function withText(row) {
  if (row.load?.mode !== 'closed' || row.load.text) return row;
  return { ...row, title: row.title.replace(', binary', ', text'), load: { ...row.load, text: 1 } };
}

async function once(row, name) {
  const [server, env] = row.also?.[name] ?? [name, row.envs?.[name] ?? row.env];
  const poll = given.poll && !row.load?.carrier ? { poll: 1 } : {};
  const run = (load) => loadFresh(server, { warmup, seconds, ...poll, ...load }, env);
  const result = row.measure ? await row.measure({ run, halfOfSlowest, name }) : await run(row.load);
  if (result.version) versions[server] = result.version;
  return result;
}

async function measureRow(row) {
  const names =
    given.quick && row.quickServers
      ? row.quickServers.filter((name) => serverNames.includes(name))
      : serverNames;
  const all = [...names, ...Object.keys(row.also ?? {}).filter((name) => names.includes(row.also[name][0]))];
  const why = (name) => absent[row.also?.[name]?.[0] ?? name] ?? row.without?.[name];
  const samples = Object.fromEntries(all.map((name) => [name, { results: [], error: why(name) }]));
  const count = Math.min(rounds, given.quick && row.maxRounds ? 1 : (row.maxRounds ?? rounds));
  for (let round = 1; round <= count; round++) {
    for (const name of all) {
      const sample = samples[name];
      if (sample.error) continue;
      try {
        sample.results.push(await once(row, name));
        const [{ pick, title }] = row.columns;
        log(
          `${row.id} ${round}/${count} ${name}: ${Math.round(pick(sample.results.at(-1)) * 100) / 100} ${title}`,
        );
      } catch (error) {
        sample.error = `FAILED in round ${round}: ${error.message}`;
        log(`${row.id} ${round}/${count} ${name}: ${sample.error}`);
      }
    }
  }
  return summarise(row, samples);
}

const started = Date.now();
for (const row of rows.filter(({ id }) => rowIds.includes(id)).map(given.text ? withText : (row) => row)) {
  const summary = await measureRow(row);
  summaries.push(summary);
  console.log(rowText(summary));
}

const targets = summaries.flatMap((summary) => summary.targets);
const met = targets.filter((target) => target.met).length;
console.log(`\n${met} of ${targets.length} targets met; ${Math.round((Date.now() - started) / 1000)} s`);

const flags = process.argv
  .slice(2)
  .filter((word, i, words) => !/^--json/.test(word) && words[i - 1] !== '--json');
const report = {
  date: new Date().toISOString().slice(0, 10),
  command: ['npm run bench', ...(flags.length > 0 ? ['--', ...flags] : [])].join(' '),
  environment: {
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    kernel: release().split('-')[0],
    node: process.versions.node,
    pinned,
  },
  rounds,
  seconds,
  warmup,
  versions: Object.fromEntries(
    serverNames.map((name) => [name, versions[name] ?? `${name} (${absent[name] ?? 'no figures'})`]),
  ),
  rows: summaries,
};
if (given.json) writeFileSync(given.json, `${JSON.stringify(report, null, 2)}\n`);
if (given.docs) writeDocs(fileURLToPath(new URL('../docs/performance.md', import.meta.url)), report);
