/**
 * Forks workers by `node:cluster`: it gives them one port, where the kernel does not, and a channel to the primary.
 */
import cluster from 'node:cluster';
import type { WorkersSettings } from './options.ts';
import { WORKER_VARIABLE, type WorkerTerms } from './protocol.ts';
import type { Child, ChildEvents } from './worker.ts';

const PRELUDE = new URL('./worker-main.js', import.meta.url);

export function forkWorker(settings: WorkersSettings, events: ChildEvents, isFirst: boolean): Child {
  const { file, args, env, reusePort } = settings;
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({
    exec: file,
    args: [...args],
    execArgv: [...process.execArgv, '--import', PRELUDE.href],
    // Bytes stay bytes.
    serialization: 'advanced',
  });
  const terms: WorkerTerms = { reusePort, isFirst };
  const worker = cluster.fork({ ...env, [WORKER_VARIABLE]: JSON.stringify(terms) });
  worker.on('message', events.said);
  // A channel that breaks ends the worker, and 'exit' tells of that.
  worker.on('error', () => {});
  worker.process.on('error', (error) => {
    if (worker.process.pid === undefined) events.ended(`(${error.message})`);
  });
  worker.on('exit', (code, signal) => events.ended(signal ? `by ${signal}` : `with code ${code}`));
  return {
    pid: worker.process.pid ?? 0,
    send(message, done) {
      if (worker.isConnected()) worker.process.send(message, undefined, undefined, () => done());
      else done();
    },
    kill: () => worker.process.kill('SIGKILL'),
  };
}
