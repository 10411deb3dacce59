/**
 * `portal-ws/workers`: a program runs as several processes on one port, and its topics work across them.
 */
import cluster from 'node:cluster';
import { OptionError } from '../api/errors.ts';
import { checkNames, isObject } from '../api/options/checks.ts';
import { guard, systemClock } from '../io/time/clock.ts';
import { workerProcess } from '../io/worker-process.ts';
import type { Backplane, BackplaneOptions } from '../topics/backplane.ts';
import { ALONE, WorkersEngine } from './engine.ts';
import { Fleet } from './fleet.ts';
import { forkWorker } from './forking.ts';
import { readWorkersOptions, type WorkersOptions } from './options.ts';

export type { WorkersOptions } from './options.ts';

/** The workers of a program, from its primary. */
export interface RunningWorkers {
  /** Processes that serve now. */
  readonly pids: readonly number[];
  /** Resolves when all workers were stopped; rejects, which ends this process, when none serves and none starts any more. */
  readonly ended: Promise<void>;
  /**
   * Restarts the workers one by one, each from the program's file as it is now. The new one serves before the old one closes its
   * port, and its connections in batches with 1012. Rejects when a new one does not start: the old ones go on then.
   */
  restart(): Promise<void>;
  /** Stops all workers, as SIGTERM does; resolves when the last has ended. @param deadline Milliseconds for goodbyes. */
  stop(deadline?: number): Promise<void>;
}

/**
 * Runs a program as several processes on one port, and resolves when all of them serve: when each has started a server. One that
 * dies is replaced, after a delay that grows while they die young. Call it once, in a process that does nothing else; the
 * program itself needs no change, and `backplane: workers()` for topics across its processes.
 *
 * Rejects when one does not start; all are stopped then. Resolves, too, when a signal has stopped them meanwhile.
 * @param file The program: a path, from the working directory, or a `file:` URL.
 * @throws OptionError for the first option that is wrong.
 */
export async function startWorkers(
  file: string | URL,
  options: WorkersOptions = {},
): Promise<RunningWorkers> {
  const settings = readWorkersOptions(file, options);
  if (cluster.isWorker)
    throw new Error('startWorkers was called in a worker; call it in the program that starts the workers');
  const fleet = new Fleet(settings, {
    fork: (events, isFirst) => forkWorker(settings, events, isFirst),
    after: guard,
    now: () => systemClock.now(),
    log: settings.log,
  });
  if (settings.signals) obeySignals(fleet);
  await fleet.start();
  return fleet;
}

function obeySignals(fleet: Fleet): void {
  let isAsked = false;
  const stop = () => {
    if (isAsked) fleet.kill();
    isAsked = true;
    void fleet.stop();
  };
  const restart = () => void fleet.restart().catch((error: Error) => fleet.log(error.message));
  const listeners = { SIGTERM: stop, SIGINT: stop, SIGUSR2: restart };
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener);
  const forget = () => {
    for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener);
  };
  fleet.ended.then(forget, forget);
}

/**
 * The engine for topics across the workers that `startWorkers` or `npx portal-ws --workers` has started; messages go over the
 * primary, to those workers alone that have members. In a program that runs as one process it does nothing.
 * @throws OptionError for a wrong option.
 */
export function workers(options: BackplaneOptions = {}): Backplane {
  if (!isObject(options))
    throw new OptionError('options of workers', options, "an object such as { namespace: 'app' }");
  checkNames(options, ['namespace'], 'workers', 'workers has namespace');
  const { namespace = 'portal' } = options;
  if (typeof namespace !== 'string' || namespace === '')
    throw new OptionError('workers.namespace', namespace, 'a string that is not empty');
  const process = workerProcess();
  return process === undefined ? ALONE : new WorkersEngine(process, namespace);
}
