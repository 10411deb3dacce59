/**
 * Runs in each worker before the program itself (`node --import`): it tells the primary when a server listens, and ends the
 * servers and the program when the primary says so, on a signal, and when the primary is gone.
 */
import cluster from 'node:cluster';
import { beWorker, type StoppableServer } from '../io/worker-process.ts';
import { type FromWorker, isOurs, type ToWorker, WORKER_VARIABLE, type WorkerTerms } from './protocol.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;
/** For the connections of a worker that is ended by nobody's order: milliseconds. */
const DEADLINE = 10_000;

/** What the primary has told by the environment; the program's own children are not to see it. */
const { [WORKER_VARIABLE]: told } = process.env;
delete process.env[WORKER_VARIABLE];
if (cluster.isWorker && told !== undefined) begin(JSON.parse(told) as WorkerTerms);

function begin({ reusePort, isFirst }: WorkerTerms): void {
  let isAlone = isFirst;
  const servers = new Set<StoppableServer>();
  let isStopping = false;

  const send = (message: object, done: (error: Error | null) => void) => {
    if (process.connected) process.send?.(message, undefined, undefined, done);
    else done(new Error('the primary of the workers is gone'));
  };

  beWorker({
    reusePort,
    get isFirst() {
      return isAlone;
    },
    send,
    listen(take) {
      process.on('message', take);
      return () => process.off('message', take);
    },
    started(server) {
      isAlone = false;
      servers.add(server);
      send({ portal: 'listening' } satisfies FromWorker, () => {});
    },
    stopped: (server) => servers.delete(server),
  });

  const stopServers = (code: number, reason: string, deadline: number) =>
    Promise.allSettled(
      Array.from(servers, (server) => server.stop({ code, reason, deadline, closePortFirst: true })),
    );

  /** The handlers of the program itself, for a signal; it then ends when nothing keeps it alive. */
  const handlers = (signal: string) =>
    process.listeners(signal as 'SIGTERM').filter((each) => each !== onSignal);

  async function stop(restarts: boolean, deadline: number): Promise<void> {
    if (restarts) await stopServers(SERVICE_RESTART, 'restarting', deadline);
    const own = handlers('SIGTERM');
    if (own.length === 0) {
      await stopServers(GOING_AWAY, '', deadline);
      process.exit();
    }
    process.channel?.unref();
    for (const handler of own) handler('SIGTERM');
  }
  const stopOnce = (restarts: boolean, deadline: number) => {
    if (!isStopping) void stop(restarts, deadline);
    isStopping = true;
  };

  /** A terminal's Ctrl-C reaches all processes at once. The program's own handlers, if it has any, are called as ever. */
  function onSignal(signal: NodeJS.Signals): void {
    if (handlers(signal).length === 0) {
      stopOnce(false, DEADLINE);
    } else {
      isStopping = true;
      process.channel?.unref();
    }
  }
  for (const signal of SIGNALS) process.on(signal, onSignal);

  process.on('message', (message: unknown) => {
    if (!isOurs(message)) return;
    const order = message as ToWorker;
    if (order.portal === 'stop') stopOnce(order.restarts, order.deadline);
  });

  send({ portal: 'loaded' } satisfies FromWorker, () => {});

  // Otherwise node:cluster ends this process at once, and no connection gets a goodbye.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  process.on('disconnect', () => stopOnce(false, DEADLINE));
}
