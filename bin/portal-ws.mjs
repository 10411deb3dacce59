#!/usr/bin/env node
// `npx portal-ws`: the playground of `npm start`, in any folder.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const help = `portal-ws: a WebSocket server to try out, with a page to talk to it and its statecharts, live.

Usage: npx portal-ws [options]

  -p, --port <number>    port to listen on, 0 for any free one (default: 5005, or PORT)
  -H, --host <address>   address to listen on, 0.0.0.0 for all (default: 127.0.0.1, or HOST)
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
      open: { type: 'boolean', short: 'o' },
      version: { type: 'boolean', short: 'v' },
      help: { type: 'boolean', short: 'h' },
    };
    return parseArgs({ options }).values;
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

const {
  port = process.env.PORT || '5005',
  host = process.env.HOST || '127.0.0.1',
  open,
  version,
  help: asked,
} = readArguments();

if (asked) {
  console.log(help);
} else if (version) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    misused(`--port is ${JSON.stringify(port)}; allowed is a whole number from 0 to 65535`);
  }
  if (host === '') misused('--host is empty; allowed is a host name or an address');
  const hint = () =>
    console.error('Try another --port (0 takes any free one) or --host; --help lists the options.');
  process.once('exit', hint);
  Object.assign(process.env, { PORT: port, HOST: host });
  const { url } = await import('../playground/server.mjs');
  process.off('exit', hint);
  if (open) openBrowser(url);
}
