/**
 * One stream of HTTP/2 as a byte stream, opened by an extended CONNECT (RFC 8441). Its flow control holds each side back;
 * END_STREAM is what FIN is to TCP, and RST_STREAM with CANCEL what RST is (RFC 8441 5).
 */
import type { ServerHttp2Stream } from 'node:http2';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { peerAddress } from './peer-address.ts';
import type { Transport, TransportListener } from './transport.ts';
import { verifiedCertificate } from './verified-certificate.ts';

/** `http2.constants.NGHTTP2_CANCEL`. The module itself is not loaded here. */
const CANCEL = 8;

export class Http2Transport implements Transport {
  readonly name = 'http2';
  readonly remoteAddress: string;
  readonly #stream: ServerHttp2Stream;
  #listener: TransportListener | undefined;
  /** `write` has returned false, and the listener has not heard of it since. */
  #isWaiting = false;
  #isDestroyed = false;
  #hasFailed = false;
  #peerEnded = false;
  /** The end came while nothing was read, and is told when reading goes on. */
  #heldEnd = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    this.remoteAddress = peerAddress(stream.session?.socket);
  }

  get bufferedAmount(): number {
    return this.#stream.writableLength;
  }

  /** Of the session, which all its streams share. */
  peerCertificate(): PeerCertificate | undefined {
    const session = this.#stream.session;
    return session?.encrypted === true ? verifiedCertificate(session.socket as TLSSocket) : undefined;
  }

  attach(listener: TransportListener): void {
    this.#listener = listener;
    const stream = this.#stream;
    stream.on('data', (chunk: Uint8Array) => {
      if (!this.#isDestroyed) listener.onBytes(chunk, false);
    });
    stream.on('end', () => this.#ended());
    stream.on('aborted', () => this.#fail(resetError(stream.rstCode)));
    stream.on('error', (error: Error) => this.#fail(error));
    stream.on('close', () => this.#closed(listener));
  }

  write(blocks: readonly Uint8Array[]): boolean {
    const stream = this.#stream;
    if (!stream.writable || this.#isDestroyed) return true;
    if (blocks.length > 1) stream.cork();
    const last = blocks.length - 1;
    blocks.forEach((block, index) => {
      if (index < last) stream.write(block);
      else stream.write(block, this.#written);
    });
    if (blocks.length > 1) stream.uncork();
    if (stream.writableLength === 0) return true;
    this.#isWaiting = true;
    return false;
  }

  /** One function for all writes of this stream. */
  readonly #written = (error?: Error | null): void => {
    if (error || !this.#isWaiting || this.#stream.writableLength > 0) return;
    this.#isWaiting = false;
    if (!this.#isDestroyed && !this.#hasFailed) this.#listener?.onDrain();
  };

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
    if (this.#heldEnd) process.nextTick(() => this.#tellHeldEnd());
  }

  end(): void {
    if (!this.#isDestroyed) this.#stream.end();
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    const stream = this.#stream;
    if (stream.destroyed) return;
    // The peer has ended and nothing waits: an end of ours closes both sides, as with TCP, and is no reset.
    if (stream.readableEnded && stream.writableLength === 0 && !stream.closed) {
      stream.end();
      return;
    }
    const isOver = stream.writableFinished && stream.readableEnded;
    if (!isOver && !stream.closed) stream.close(CANCEL);
    stream.destroy();
  }

  /** Node tells of a reset by 'aborted' only as long as our side has not ended. */
  #closed(listener: TransportListener): void {
    if (!this.#peerEnded && isReset(this.#stream)) this.#fail(resetError(this.#stream.rstCode));
    listener.onClosed();
  }

  /** A reset ends the reading too; it is told as an error. */
  #ended(): void {
    if (this.#isDestroyed || this.#hasFailed || isReset(this.#stream)) return;
    this.#peerEnded = true;
    if (this.#stream.isPaused()) this.#heldEnd = true;
    else this.#listener?.onEnd();
  }

  #tellHeldEnd(): void {
    if (!this.#heldEnd || this.#stream.isPaused()) return;
    this.#heldEnd = false;
    this.#ended();
  }

  #fail(error: Error): void {
    if (this.#isDestroyed || this.#hasFailed) return;
    this.#hasFailed = true;
    this.#listener?.onError(error);
  }
}

function isReset({ aborted, rstCode }: ServerHttp2Stream): boolean {
  return aborted || (rstCode ?? 0) !== 0;
}

function resetError(code: number | undefined): Error {
  return Object.assign(new Error(`the HTTP/2 stream was reset (code ${code ?? 0})`), {
    code: 'ERR_HTTP2_STREAM_RESET',
    rstCode: code ?? 0,
  });
}
