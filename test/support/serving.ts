/**
 * A server for one test, on an ephemeral port of the loopback address, and clients that have shaken hands with it.
 * Whatever a test leaves running is stopped after it.
 */
import { once } from 'node:events';
import { firstValueFrom, type Observable } from 'rxjs';
import { afterEach } from 'vitest';
import {
  type CloseReport,
  type Connection,
  createServer,
  type Failure,
  type Handlers,
  type Server,
  type ServerOptions,
} from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { place, start } from './carrier.ts';
import { PATIENCE_MS } from './patience.ts';
import { type ConnectOptions, OPCODE, RawClient } from './raw-client.ts';

/** A server under test. Its time moves only by `clock.advance`. */
export interface Served {
  readonly server: Server;
  readonly port: number;
  readonly clock: ManualClock;
  /** What came through `errors$`, in order. */
  readonly errors: Failure[];
  /** A client with its handshake done. */
  call(options?: ConnectOptions): Promise<RawClient>;
  /** The same, with the server's side of it. */
  meet(options?: ConnectOptions): Promise<{ client: RawClient; connection: Connection }>;
}

const LOOPBACK = { port: 0, host: '127.0.0.1' };
const running = new Set<{ server: Server; clock: ManualClock }>();
/** HTTP servers that carry, to be closed after a test. */
const carrying = new Set<{ close(): void }>();

afterEach(async () => {
  RawClient.destroyAll();
  for (const { server, clock } of running) await stopNow(server, clock);
  running.clear();
  for (const one of carrying) one.close();
  carrying.clear();
});

/** Stops a server without waiting for anybody, whatever its clock says. */
async function stopNow(server: Server, clock: ManualClock): Promise<void> {
  const stopped = server.stop({ deadline: 0 });
  clock.advance(200);
  await stopped;
}

/** A server that is not started; it is stopped after the test all the same. */
export function make(options: Partial<ServerOptions> = {}): { server: Server; clock: ManualClock } {
  const clock = new ManualClock();
  const isElsewhere = options.socketPath !== undefined || options.listener !== undefined;
  const at = options.listener === undefined ? {} : LOOPBACK;
  const server = createServer({ ...(isElsewhere ? at : place()), clock, ...options });
  running.add({ server, clock });
  return { server, clock };
}

/** Starts a server with these handlers for `/echo`, or with these options for all. */
export async function serve(handlers: Handlers = {}, options: Partial<ServerOptions> = {}): Promise<Served> {
  const { server, clock } = make({ paths: { '/echo': handlers }, ...options });
  const errors: Failure[] = [];
  server.errors$.subscribe((failure) => errors.push(failure));
  const started = await start(server);
  carrying.add(started);
  const { port } = started;
  const call = async (connect?: ConnectOptions) => {
    const client = await RawClient.connect(port, connect);
    await client.handshake();
    return client;
  };
  const meet = async (connect?: ConnectOptions) => {
    const opened = firstValueFrom(server.connections$);
    const client = await call(connect);
    return { client, connection: await opened };
  };
  return { server, port, clock, errors, call, meet };
}

/** The report of a connection that ends. */
export const reportOf = (connection: Connection): Promise<CloseReport> => firstValueFrom(connection.closed$);

/** The next frame as a word: `text hello`, `binary 01ff`, `close 1000 why`. */
export async function word(client: RawClient): Promise<string> {
  const { opcode, payload, fin } = await client.nextFrame();
  const name = Object.entries(OPCODE).find(([, value]) => value === opcode)?.[0] ?? `opcode ${opcode}`;
  const bytes = Buffer.from(payload);
  const isClose = opcode === OPCODE.close && bytes.length >= 2;
  const said = isClose ? `${bytes.readUInt16BE(0)} ${bytes.subarray(2)}` : bytes.toString();
  const shown = opcode === OPCODE.binary ? bytes.toString('hex') : said;
  return `${name}${fin ? '' : '-'} ${shown}`.trim();
}

/** The next `count` frames as words. */
export async function words(client: RawClient, count: number): Promise<string[]> {
  const all: string[] = [];
  while (all.length < count) all.push(await word(client));
  return all;
}

/** A promise that a test settles by hand. */
export function gate<T = void>() {
  let open: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

/** All that a stream says from now on: `next …`, `error`, `complete`. */
export function record<T>(stream: Observable<T>): { values: T[]; ends: string[] } {
  const values: T[] = [];
  const ends: string[] = [];
  stream.subscribe({
    next: (value) => values.push(value),
    error: () => ends.push('error'),
    complete: () => ends.push('complete'),
  });
  return { values, ends };
}

/** Resolves once `condition` holds, asking again each time the event loop has turned. */
export async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The warnings of this process while `work` runs, and until one has come. */
export async function warning(work: () => unknown): Promise<Error> {
  const came = once(process, 'warning');
  await work();
  return (await came)[0] as Error;
}
