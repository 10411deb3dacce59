/**
 * What a process knows that runs as one of several workers of a program, see `src/workers`. It stands at the global object and
 * not in a module, because a program may load this package twice.
 */

/** A server, as its worker stops it. */
export interface StoppableServer {
  stop(options: {
    readonly code: number;
    readonly reason: string;
    readonly deadline: number;
    readonly closePortFirst: boolean;
  }): Promise<unknown>;
}

/** This process is a worker. */
export interface WorkerProcess {
  /** Ports are shared by the kernel. Otherwise `node:cluster` shares them, and nobody has to ask. */
  readonly reusePort: boolean;
  /** The first worker of all: nobody else may listen on its ports yet. */
  readonly isFirst: boolean;
  /** A server listens, or is attached and started. */
  started(server: StoppableServer): void;
  stopped(server: StoppableServer): void;
  /** Sends something to the primary; `done` is called when it has left, or cannot. */
  send(message: object, done: (error: Error | null) => void): void;
  /** Calls `take` with each message of the primary, until the returned function is called. */
  listen(take: (message: unknown) => void): () => void;
}

const KEY = Symbol.for('portal-ws.worker');
type Holder = { [KEY]?: WorkerProcess };

/** Undefined in a process that is no worker. */
export function workerProcess(): WorkerProcess | undefined {
  return (globalThis as Holder)[KEY];
}

/** Makes this process a worker. */
export function beWorker(worker: WorkerProcess | undefined): void {
  if (worker === undefined) delete (globalThis as Holder)[KEY];
  else (globalThis as Holder)[KEY] = worker;
}
