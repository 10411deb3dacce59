/**
 * A server for tests: no port, and a clock that only moves when a test advances it.
 */
import type { ServerOptions } from '../api/options/options.ts';
import { createServer } from '../api/server/registry.ts';
import type { Server } from '../api/server/server.ts';
import { eventLoopTurn } from '../io/time/clock.ts';
import { ManualClock } from '../io/time/manual-clock.ts';
import { TICK_MS } from '../io/time/ticker.ts';
import { MemoryListener, type MemoryOptions } from '../io/transports/memory.ts';
import type { StopReport } from '../server/stopping.ts';
import { type ConnectOptions, TestClient } from './client.ts';

/** What `testServer` gives a server of yours; nothing else is needed to make it one for tests. */
export interface TestParts {
  readonly port: 0;
  readonly clock: ManualClock;
  readonly listener: MemoryListener;
}

/** Everything that is on its way within this process arrives, and what it causes, too. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await eventLoopTurn();
}

export class TestServer {
  readonly server: Server;
  readonly clock: ManualClock;
  readonly listener: MemoryListener;

  /** @internal Made by `testServer`. */
  constructor(server: Server, { clock, listener }: TestParts) {
    this.server = server;
    this.clock = clock;
    this.listener = listener;
  }

  /**
   * A client with its handshake done. The path may have a query.
   * Rejects with `HandshakeRefused` when the answer is no 101.
   */
  readonly connect = (path: string, options: ConnectOptions = {}): Promise<TestClient> =>
    new TestClient(this.listener.connect(options.remoteAddress), path, options).opened();

  /** Lets time pass, with all that falls due and what that causes: pings, deadlines, their answers. */
  readonly advance = async (ms: number): Promise<void> => {
    await settled();
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.clock.advance(Math.min(left, TICK_MS));
      await eventLoopTurn();
    }
    await settled();
  };

  /** Stops the server and waits for nobody. */
  readonly stop = async (): Promise<StopReport> => {
    const stopped = this.server.stop({ deadline: 0 });
    await this.advance(4 * TICK_MS);
    return stopped;
  };
}

/**
 * Starts a server in memory: one with these options, or the one that a function of yours makes of the parts it is
 * given, `(parts) => createServer({ ...parts, paths })`. `wire` says how bytes travel: `chunkBytes: 1` cuts them into
 * single ones, `capacityBytes` is what fits on the way (default 64 KiB), `shared` finds who keeps memory that was lent.
 */
export async function testServer(
  options: Partial<ServerOptions> | ((parts: TestParts) => Server) = {},
  wire: MemoryOptions = {},
): Promise<TestServer> {
  const listener = new MemoryListener({ capacityBytes: 64 * 1024, ...wire });
  const parts: TestParts = { port: 0, clock: new ManualClock(), listener };
  const server = typeof options === 'function' ? options(parts) : createServer({ ...options, ...parts });
  await server.start();
  return new TestServer(server, parts);
}
