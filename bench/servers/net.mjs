// The floor that JavaScript on Node's sockets has: bare node:net, no WebSocket in it beyond the handshake.
// It reads the first frame's head for its length (all of a connection are alike), and then, of every chunk, writes back
// as many bytes as a server's unmasked replies would hold, straight from the chunk: nothing is decoded, unmasked or
// copied. So the generator can only count its bytes. A chunk that starts with a Close frame is answered and ended.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { ready } from './ready.mjs';

const closeReply = Buffer.from([0x88, 0x02, 0x03, 0xe8]);
const everyone = new Set();

class Floor {
  constructor(socket) {
    this.socket = socket;
    this.head = '';
    this.broadcasts = false;
    this.requestBytes = 0;
    this.replyBytes = 0;
    this.received = 0;
    this.sent = 0;
  }

  take(chunk) {
    if (this.head !== undefined) this.upgrade(chunk);
    else if (chunk[0] === 0x88 && this.received % this.requestBytes === 0) this.socket.end(closeReply);
    else this.echo(chunk);
  }

  upgrade(chunk) {
    this.head += chunk.latin1Slice();
    if (!this.head.endsWith('\r\n\r\n')) return;
    const key = /sec-websocket-key: *(\S+)/i.exec(this.head)[1];
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    this.socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    this.broadcasts = this.head.startsWith('GET /broadcast ');
    if (this.broadcasts) everyone.add(this.socket);
    this.head = undefined;
    this.requestBytes = 1; // a Close may come first
  }

  echo(chunk) {
    if (this.replyBytes === 0) this.measure(chunk);
    this.received += chunk.length;
    const due = Math.floor((this.received * this.replyBytes) / this.requestBytes) - this.sent;
    this.sent += due;
    const bytes = due === chunk.length ? chunk : chunk.subarray(0, due);
    if (!this.broadcasts) this.socket.write(bytes);
    else for (const socket of everyone) socket.write(bytes);
  }

  measure(chunk) {
    const short = chunk[1] & 127;
    const length =
      short < 126 ? short : short === 126 ? chunk.readUInt16BE(2) : Number(chunk.readBigUInt64BE(2));
    this.replyBytes = length + (short < 126 ? 2 : short === 126 ? 4 : 10);
    this.requestBytes = this.replyBytes + 4;
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  const floor = new Floor(socket);
  socket.on('data', (chunk) => floor.take(chunk));
  socket.on('error', () => {});
  socket.on('close', () => everyone.delete(socket));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  ready(server.address().port, `node:net of Node ${process.versions.node}`),
);
