/**
 * The options of `startWorkers`: their defaults, what is allowed, and the check that says so.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OptionError } from '../api/errors.ts';
import { checkNames, isObject, readBoolean } from '../api/options/checks.ts';
import { type Rule, readLimit } from '../api/options/limit.ts';
import { canReusePort } from '../api/options/listeners.ts';

/** How a program runs as several processes. */
export interface WorkersOptions {
  /** Processes, 1 to 1024. Default: one for each core that this process may use. */
  readonly count?: number | undefined;
  /** What the program finds in `process.argv` after its own name. Default: nothing. */
  readonly args?: readonly string[] | undefined;
  /** Variables of the environment for the workers, beside those of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /**
   * Milliseconds in which a worker must have started its server; one that has not is killed, and counts as one that has failed. 1
   * to a day. Default 30,000.
   */
  readonly startDeadline?: number | undefined;
  /**
   * Milliseconds that a worker has for the goodbyes of its connections when it is stopped or restarted. One that still runs five
   * seconds later is killed. 1 to a day. Default 10,000.
   */
  readonly stopDeadline?: number | undefined;
  /**
   * The kernel spreads the connections (SO_REUSEPORT); otherwise this process takes them and hands them on, as `node:cluster`
   * does. Port 0 is always shared in the second way. Default: true where it can be: Node 22.12 and later, on Linux, FreeBSD and AIX.
   */
  readonly reusePort?: boolean | undefined;
  /**
   * SIGTERM and SIGINT to this process stop all workers; a second one kills them. SIGUSR2 restarts them one by one. Default true.
   */
  readonly signals?: boolean | undefined;
  /** Takes a line about what happens to workers. Default: `console.error`. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Options after the check, with their defaults. */
export interface WorkersSettings {
  readonly file: string;
  readonly count: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly startDeadline: number;
  readonly stopDeadline: number;
  readonly reusePort: boolean;
  readonly signals: boolean;
  readonly log: (line: string) => void;
}

const NAMES = ['count', 'args', 'env', 'startDeadline', 'stopDeadline', 'reusePort', 'signals', 'log'];
const COUNT = { min: 1, max: 1024, unit: 'processes', unlimited: false };
const TIME = { min: 1, max: 86_400_000, unit: 'ms', unlimited: false } satisfies Omit<Rule, 'default'>;
/** Where Node hands `reusePort` on to a kernel that spreads the connections. */
const SPREADING: readonly string[] = ['linux', 'freebsd', 'aix'];

const canSpread = () => SPREADING.includes(process.platform) && canReusePort(process.versions);

/** @throws OptionError for the first that is wrong, and for a name that is no option. */
export function readWorkersOptions(file: string | URL, options: WorkersOptions): WorkersSettings {
  if (!isObject(options)) throw new OptionError('options', options, 'an object such as { count: 4 }');
  checkNames(options, NAMES, 'startWorkers', `startWorkers has ${NAMES.join(', ')}`);
  return {
    file: readFile(file),
    count: readLimit('count', options.count, {
      ...COUNT,
      default: Math.min(COUNT.max, availableParallelism()),
    }),
    args: readArgs(options.args),
    env: readEnv(options.env),
    startDeadline: readLimit('startDeadline', options.startDeadline, { ...TIME, default: 30_000 }),
    stopDeadline: readLimit('stopDeadline', options.stopDeadline, { ...TIME, default: 10_000 }),
    reusePort: readReusePort(options.reusePort),
    signals: readBoolean('signals', options.signals, true),
    log: readLog(options.log),
  };
}

function readFile(file: string | URL): string {
  const isUrl = file instanceof URL;
  if ((typeof file !== 'string' || file === '') && !(isUrl && file.protocol === 'file:'))
    throw new OptionError('file', file, 'the path of a program, or its file: URL');
  const path = isUrl ? fileURLToPath(file) : resolve(file);
  if (existsSync(path)) return path;
  throw new OptionError('file', file, 'the path of a program', `there is no file ${path}`);
}

function readArgs(args: WorkersOptions['args']): readonly string[] {
  if (args === undefined) return [];
  if (Array.isArray(args) && args.every((each) => typeof each === 'string')) return [...args];
  throw new OptionError('args', args, 'a list of strings');
}

function readEnv(env: WorkersOptions['env']): Readonly<Record<string, string>> {
  if (env === undefined) return {};
  if (isObject(env) && Object.values(env).every((each) => typeof each === 'string')) return { ...env };
  throw new OptionError('env', env, 'an object of strings');
}

function readReusePort(value: boolean | undefined): boolean {
  const reusePort = readBoolean('reusePort', value, canSpread());
  if (!reusePort || canSpread()) return reusePort;
  const message = `option reusePort: allowed is true on Node 22.12 or later on Linux, FreeBSD and AIX, and this is Node ${process.version} on ${process.platform}`;
  throw new OptionError('reusePort', value, 'false', message);
}

function readLog(log: WorkersOptions['log']): (line: string) => void {
  if (log === undefined) return (line) => console.error(line);
  if (typeof log === 'function') return log;
  throw new OptionError('log', log, 'a function');
}
