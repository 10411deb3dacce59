#!/usr/bin/env node
// `npx portal-ws`: the playground of `npm start`, in any folder; or a program of the user's, as several processes.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const help = `portal-ws: a WebSocket server to try out, with a page to talk to it and its statecharts, live.

Usage: npx portal-ws [options]
       npx portal-ws --workers <number> [program.mjs] [-- its arguments]

  -p, --port <number>    port to listen on, 0 for any free one (default: 5005, or PORT)
  -H, --host <address>   address to listen on, 0.0.0.0 for all (default: 127.0.0.1, or HOST)
  -w, --workers <number> run the playground, or a program, as so many processes on one port
  -o, --open             open the page in a browser
  -v, --version          print the version
  -h, --help             print this

Ctrl-C ends it. To write a server of your own: npm install portal-ws, and its README.`;

/** Ends the program, saying what to do. */
function misused(why) {
  console.error(`portal-ws: ${why}\nnpx portal-ws --help lists the options.`);
  process.exit(2);
}

function readArguments() {
  try {
    const options = {
      port: { type: 'string', short: 'p' },
      host: { type: 'string', short: 'H' },
      workers: { type: 'string', short: 'w' },
      open: { type: 'boolean', short: 'o' },
      version: { type: 'boolean', short: 'v' },
      help: { type: 'boolean', short: 'h' },
    };
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return misused(error.message.split('. To specify')[0]);
  }
}

/** Opens the system's browser; where there is none, the address is printed above. */
function openBrowser(url) {
  const [command, ...before] = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] }[process.platform] ?? [
    'xdg-open',
  ];
  const child = spawn(command, [...before, url], { stdio: 'ignore', detached: true });
  child.on('error', () => console.error(`No browser could be opened (${command}); the address is ${url}`));
  child.unref();
}

const { values, positionals } = readArguments();
const {
  port = process.env.PORT || '5005',
  host = process.env.HOST || '127.0.0.1',
  workers,
  open,
  version,
  help: asked,
} = values;
const [program, ...args] = positionals;

if (asked) {
  console.log(help);
} else if (version) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    misused(`--port is ${JSON.stringify(port)}; allowed is a whole number from 0 to 65535`);
  }
  if (program !== undefined && workers === undefined) {
    misused(`Unexpected argument '${program}'; a program is run with --workers <number>`);
  }
  if (
    workers !== undefined &&
    !(/^\d{1,4}$/.test(workers) && Number(workers) >= 1 && Number(workers) <= 1024)
  ) {
    misused(`--workers is ${JSON.stringify(workers)}; allowed is a whole number from 1 to 1024`);
  }
  if (program !== undefined && !existsSync(program)) misused(`there is no file ${program}`);
  if (host === '') misused('--host is empty; allowed is a host name or an address');
  const hint = () =>
    console.error('Try another --port (0 takes any free one) or --host; --help lists the options.');
  Object.assign(process.env, { PORT: port, HOST: host });
  if (workers !== undefined) {
    await runWorkers(program ?? new URL('../playground/server.mjs', import.meta.url));
  } else {
    process.once('exit', hint);
    const { url } = await import('../playground/server.mjs');
    process.off('exit', hint);
    if (open) openBrowser(url);
  }
}

/** Runs a program as several processes, until a signal ends them. */
async function runWorkers(file) {
  const { startWorkers } = await import('portal-ws/workers');
  try {
    const running = await startWorkers(file, { count: Number(workers), args });
    if (running.pids.length > 0) console.log(`${workers} workers: ${running.pids.join(', ')}`);
    await running.ended;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
