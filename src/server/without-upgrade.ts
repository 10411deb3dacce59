/**
 * A request that asks for a protocol which nobody here speaks is answered as if it had not asked (RFC 9110 7.8). Java's
 * HttpClient asks for `h2c` with the first request of each connection, GET and POST alike. Node answers those itself, but
 * only while nobody listens to 'upgrade'. So the HTTP server gets the request a second time, without the wish.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { listItems } from '../io/http/grammar.ts';
import { whenAnswered } from '../io/transports/upgraded.ts';

/** Whether a request asks for a WebSocket, by its field Upgrade. */
export function asksForWebSocket({ rawHeaders }: IncomingMessage): boolean {
  // Node makes `headers` when they are first asked for, which takes longer than to look through all of `rawHeaders`.
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] as string, rawHeaders[at + 1] as string];
    if (name.length === 7 && name.toLowerCase() === 'upgrade' && names(value, 'websocket')) return true;
  }
  return false;
}

const names = (list: string, wanted: string): boolean => listItems(list.toLowerCase()).includes(wanted);

/** What is used of an HTTP server. */
interface Emitter {
  emit(event: string, ...values: unknown[]): boolean;
}

/** Gives the socket back to its HTTP server, with the request in front of what came after it, such as its body. */
export function serveWithoutUpgrade(
  server: Emitter,
  request: IncomingMessage,
  socket: Duplex & { readonly encrypted?: boolean },
  after: Uint8Array,
): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== 'upgrade') head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  whenAnswered(socket, () => {
    if (socket.destroyed || socket.writableEnded) return;
    socket.unshift(after);
    socket.unshift(`${head}\r\n`, 'latin1');
    // The events by which a server of node:http, or one with TLS, learns of a socket.
    server.emit(socket.encrypted === true ? 'secureConnection' : 'connection', socket);
  });
}
