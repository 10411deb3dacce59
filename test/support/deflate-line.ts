/** An outbox with compression, and a peer that reads all of it with one window. Nothing is on a socket. */
import type { Deflate, DeflateSettings } from '../../src/io/extensions/deflate.ts';
import { PerMessageDeflate } from '../../src/io/extensions/per-message-deflate.ts';
import { FrameDecoder } from '../../src/io/frames/frame-decoder.ts';
import { Outbox } from '../../src/io/writing/outbox.ts';
import { WriteTurn } from '../../src/io/writing/write-turn.ts';
import { answersTo, LIMITS as DECODER_LIMITS } from '../fuzz/decoding.ts';
import { deflateOf, PersistentPeer } from './deflate-peer.ts';
import { FakeTransport } from './fake-transport.ts';

export const TERMS = {
  answer: 'permessage-deflate',
  serverWindowBits: 15,
  clientWindowBits: 15,
  takesOver: true,
};
export const CONTEXTS: Partial<DeflateSettings> = { mode: 'contexts', memLevel: 5, serverWindowBits: 12 };

/** One line from a server to its peer. */
export class Line {
  readonly transport = new FakeTransport();
  readonly outbox: Outbox;
  readonly deflate: Deflate;
  readonly #tasks: (() => void)[] = [];
  readonly #bits: number;

  constructor(settings: Partial<DeflateSettings> = CONTEXTS, bits = 15, deflate = deflateOf(settings)) {
    this.deflate = deflate;
    this.#bits = bits;
    const later = (task: () => void) => void this.#tasks.push(task);
    this.outbox = new Outbox(
      this.transport,
      { sendLimit: 8 * 1_048_576, overflow: 'close', maxPendingPongs: 64 },
      new WriteTurn(later),
      {
        onWaiting() {},
        onQueued() {},
        onTooLarge() {},
        onOverflow() {},
        onDrained() {},
        encodeNow() {},
        onSliced: (message) =>
          message.begin(
            (work) => later(() => work.onTurn()),
            () => {},
          ),
        onBroken(error) {
          throw error;
        },
      },
    );
    this.transport.onDrain = () => this.outbox.onDrain();
    const takesOver = this.deflate.settings.mode === 'contexts';
    const terms = { ...TERMS, answer: `${bits} ${takesOver}`, serverWindowBits: bits, takesOver };
    this.outbox.extension = new PerMessageDeflate(this.deflate, terms);
  }

  /** One turn of the event loop, or a part of it; false when nothing is left to do. */
  turn(): boolean {
    const task = this.#tasks.shift();
    task?.();
    return task !== undefined;
  }

  settle(): void {
    while (this.turn());
  }

  get sent(): Uint8Array {
    this.settle();
    return this.transport.left;
  }

  /** Messages as the peer reads them. */
  get read(): string[] {
    const decoder = new FrameDecoder({ ...DECODER_LIMITS, cap: 1e8 }, 'client');
    decoder.extension = new PersistentPeer(this.#bits);
    return answersTo([this.sent], {}, {}, decoder).filter((each) => !each.startsWith('fragment'));
  }
}
