/** The `ws` package as an echo server, with the same record of each connection that Portal's has. */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { type EchoServer, Visits } from '../support/echo-server.ts';

/** Starts `ws` on an ephemeral port of the loopback address. */
export async function startWsEchoServer(options: {
  cap?: number;
  maxFragments?: number;
  /** Every message is compressed where that is agreed on. Default: none is. */
  compresses?: boolean;
}): Promise<EchoServer<WebSocket>> {
  const visits = new Visits<WebSocket>();
  // By default `ws` drops a peer without a Close when 60 pongs are pending, which no RFC sentence asks for.
  const unlimitedPongs = { maxPendingAutoPongs: 0 };
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    maxPayload: options.cap ?? 1_048_576,
    perMessageDeflate: options.compresses === true && { threshold: 0 },
    ...unlimitedPongs,
    ...(options.maxFragments === undefined ? {} : { maxFragments: options.maxFragments }),
  });
  server.on('connection', (socket, request) => {
    const visit = visits.of((request.url ?? '').replace(/^\/echo\//, ''));
    record(socket, visit);
  });
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    visit: (id) => visits.of(id),
    stop: async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function record(socket: WebSocket, visit: ReturnType<Visits<WebSocket>['of']>): void {
  let closedByServer: number | undefined;
  const close = socket.close.bind(socket);
  socket.close = (code, reason) => {
    closedByServer ??= code;
    close(code, reason);
  };
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer, isBinary) => {
    visit.messages.push(isBinary ? new Uint8Array(data) : data.toString());
    if (socket.readyState === WebSocket.OPEN) socket.send(data, { binary: isBinary });
  });
  socket.on('close', (code, reason) => {
    const isOurs = code === 1006 && closedByServer !== undefined;
    visit.close({
      code: isOurs ? (closedByServer ?? 1006) : code,
      reason: Buffer.from(reason).toString(),
      wasClean: code !== 1006,
      initiator: isOurs ? 'server' : 'peer',
    });
  });
  visit.open(socket);
}
