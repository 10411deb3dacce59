/** The opening handshake of HTTP/1.1 as that of HTTP/2 (RFC 8441 5), and its answer back again. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';

/** Of HTTP/1.1 alone: HTTP/2 says it in another way, or not at all. */
const OWN = ['host', 'connection', 'upgrade', 'sec-websocket-key'];

/** An extended CONNECT that says what a well-formed request head says, and the key that it had. */
export function headersOfConnect(head: string): { headers: OutgoingHttpHeaders; key: string } {
  const [line = '', ...fields] = head.replace(/^\r\n/, '').split('\r\n');
  const [, path = '/'] = line.split(' ');
  const read = fields.map((field) => {
    const [name = '', ...value] = field.split(':');
    return [name.toLowerCase(), value.join(':').trim()] as const;
  });
  const fieldOf = (name: string) => read.find(([each]) => each === name)?.[1] ?? '';
  const headers: Record<string, string | string[]> = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': path,
    ':authority': fieldOf('host'),
  };
  for (const [name, value] of read) {
    if (OWN.includes(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return { headers, key: fieldOf('sec-websocket-key') };
}

/** The head of the answer as a client of HTTP/1.1 would have got it. */
export function headOfAnswer(answer: IncomingHttpHeaders, key: string): string {
  const status = answer[':status'] as unknown as number;
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const own =
    status === 200
      ? [
          'HTTP/1.1 101 Switching Protocols',
          'Upgrade: websocket',
          'Connection: Upgrade',
          `Sec-WebSocket-Accept: ${accept}`,
        ]
      : [`HTTP/1.1 ${status} Refused`, 'Connection: close'];
  const fields = Object.entries(answer)
    .filter(([name]) => !name.startsWith(':'))
    .flatMap(([name, value]) => [value ?? ''].flat().map((each) => `${name}: ${each}`));
  return `${[...own, ...fields].join('\r\n')}\r\n\r\n`;
}
