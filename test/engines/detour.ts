// A way to an engine that can be cut: what comes to its port goes to the engine's.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class Detour {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #isCut = false;

  private constructor(url: string, server: Server, sockets: Set<Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async to(engine: string): Promise<Detour> {
    const { port, protocol } = new URL(engine);
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      if (proxy.#isCut) {
        client.destroy();
        return;
      }
      const upstream = connect(Number(port), '127.0.0.1');
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: own } = server.address() as { port: number };
    const proxy = new Detour(`${protocol}//127.0.0.1:${own}`, server, sockets);
    return proxy;
  }

  /** Nothing goes through any more, and nobody connects. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async end(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
