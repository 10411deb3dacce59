// One client of the soak: a connection that talks for a while, ends in one of the ways that connections end, well or
// badly, and connects again. What it does is drawn from its own series of random numbers, so that a run can be repeated.

import { closeFrame, frame, head, OPCODE, Peer, sleep } from '../attack/peer.mjs';

/** The next number of a series, from 0 up to 1 (mulberry32). */
export function series(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), state | 1);
    const more = mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61));
    return ((more ^ (more >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How a connection ends, how often of a hundred times, and the code that the server must report. */
const ENDS = [
  { name: 'close', share: 40, code: 1000 },
  { name: 'reset', share: 15, code: 1006 },
  { name: 'fin', share: 10, code: 1006 },
  { name: 'reset within a frame', share: 5, code: 1006 },
  { name: 'bad frame', share: 8, code: 1002 },
  { name: 'bad text', share: 4, code: 1007 },
  { name: 'too large', share: 3, code: 1009 },
  { name: 'throw', share: 4, code: 1011 },
  { name: 'reject', share: 3, code: 1011 },
  { name: 'server closes', share: 8, code: 4000 },
];

export class Place {
  /** All clients together. */
  static counts = {
    opened: 0,
    slowHeads: 0,
    sent: 0,
    echoed: 0,
    unsure: 0,
    flooded: 0,
    pings: 0,
    wrong: 0,
    ends: {},
  };
  static problems = [];

  #random;
  #port;
  #isStopping = false;
  #number = 0;

  constructor(port, seed) {
    this.#port = port;
    this.#random = series(seed);
  }

  stop() {
    this.#isStopping = true;
  }

  async run() {
    await sleep(this.#random() * 2000);
    while (!this.#isStopping) {
      try {
        await this.#live();
      } catch (error) {
        Place.problems.push(error.message);
        if (Place.problems.length > 100) return;
        await sleep(500);
      }
    }
  }

  async #live() {
    const { counts } = Place;
    if (this.#random() < 0.03) await this.#leaveEarly();
    const peer = await Peer.open(this.#port, '/soak');
    counts.opened++;
    peer.keeps = true;
    const actions = 1 + Math.floor(this.#random() * 15);
    for (let i = 0; i < actions && !this.#isStopping; i++) {
      await this.#act(peer);
      await sleep(this.#random() * 4000);
    }
    await this.#end(peer, this.#isStopping ? ENDS[0] : this.#draw(ENDS));
  }

  #draw(ways) {
    let left = this.#random() * 100;
    for (const way of ways) {
      left -= way.share;
      if (left < 0) return way;
    }
    return ways[0];
  }

  /** A handshake that is never finished. */
  async #leaveEarly() {
    const peer = await Peer.connect(this.#port);
    await peer.write(head('/soak').slice(0, 20));
    await sleep(this.#random() * 100);
    Place.counts.slowHeads++;
    if (this.#random() < 0.5) peer.reset();
    else peer.destroy();
  }

  async #act(peer) {
    const kind = this.#random();
    if (kind < 0.5) await this.#say(peer, this.#text(200));
    else if (kind < 0.6) await this.#say(peer, this.#text(20_000));
    else if (kind < 0.75) await this.#sayInFragments(peer, this.#text(500));
    else if (kind < 0.9) await this.#sayMany(peer, 2 + Math.floor(this.#random() * 20));
    else if (kind < 0.95) await this.#ping(peer);
    else if (kind < 0.998) await this.#say(peer, 'late');
    else await this.#flood(peer);
  }

  #text(most) {
    this.#number++;
    return `${this.#number} ${'é'.repeat(Math.floor(this.#random() * most))}`;
  }

  async #hear(peer, texts) {
    await peer.until('an echo', () => peer.texts.length >= texts.length || peer.end !== undefined);
    if (peer.end !== undefined)
      throw new Error(`lost while it waited for an echo: ${peer.closeCode ?? peer.end}`);
    for (const text of texts) {
      Place.counts.echoed++;
      if (peer.texts.shift() !== text) Place.counts.wrong++;
    }
  }

  async #say(peer, text) {
    Place.counts.sent++;
    await peer.write(frame(OPCODE.text, text));
    await this.#hear(peer, [text]);
  }

  async #sayInFragments(peer, text) {
    const bytes = Buffer.from(text);
    Place.counts.sent++;
    const cut = Math.floor(this.#random() * bytes.length);
    await peer.write(frame(OPCODE.text, bytes.subarray(0, cut), { fin: false }));
    if (this.#random() < 0.5) await sleep(this.#random() * 200);
    if (this.#random() < 0.5) await peer.write(frame(OPCODE.ping, 'between'));
    await peer.write(frame(OPCODE.continuation, bytes.subarray(cut)));
    await this.#hear(peer, [text]);
  }

  async #sayMany(peer, count) {
    const texts = Array.from({ length: count }, () => this.#text(100));
    Place.counts.sent += count;
    await peer.write(Buffer.concat(texts.map((text) => frame(OPCODE.text, text))));
    await this.#hear(peer, texts);
  }

  async #ping(peer) {
    Place.counts.pings++;
    this.#number++;
    const payload = `ping ${this.#number}`;
    await peer.write(frame(OPCODE.ping, payload));
    await peer.until('a Pong', () => peer.lastPong === payload || peer.end !== undefined);
  }

  /** Reads nothing while the server sends more than it may: what comes is exactly what it says it took. */
  async #flood(peer) {
    Place.counts.sent++;
    peer.pause();
    await peer.write(frame(OPCODE.text, 'flood'));
    await sleep(100);
    peer.resume();
    const isLast = () => peer.texts.at(-1)?.startsWith('flooded ') || peer.end !== undefined;
    await peer.until('the end of a flood', isLast);
    if (peer.end !== undefined) throw new Error(`lost in a flood: ${peer.closeCode ?? peer.end}`);
    Place.counts.flooded += peer.texts.length;
    if (peer.texts.pop() !== `flooded ${peer.texts.length}`) Place.counts.wrong++;
    peer.texts.length = 0;
  }

  async #end(peer, { name, code }) {
    const { counts } = Place;
    counts.ends[code] = (counts.ends[code] ?? 0) + 1;
    switch (name) {
      case 'close':
        peer.write(closeFrame(1000));
        break;
      case 'reset':
      case 'fin':
        if (this.#random() < 0.5) await this.#sayAndLeave(peer);
        if (name === 'fin') peer.fin();
        else return peer.reset();
        break;
      case 'reset within a frame':
        await peer.write(frame(OPCODE.binary, Buffer.alloc(50_000)).subarray(0, 20_000));
        return peer.reset();
      case 'bad frame':
        peer.write(frame(OPCODE.text, 'bare', { mask: false }));
        break;
      case 'bad text':
        peer.write(frame(OPCODE.text, Buffer.of(0xc3, 0x28)));
        break;
      case 'too large':
        peer.write(frame(OPCODE.binary, '', { length: 2_000_000n }));
        break;
      default:
        counts.sent++;
        await peer.write(frame(OPCODE.text, name === 'server closes' ? 'close' : name));
    }
    if (name === 'server closes') {
      await peer.until('a Close', () => peer.closeCode !== undefined || peer.end !== undefined);
      peer.write(closeFrame(4000));
    }
    await peer.over();
    if (code !== 1006 && peer.closeCode !== code)
      Place.problems.push(`${name}: ${peer.closeCode} and not ${code}`);
    peer.fin();
  }

  /** Messages whose echo nobody waits for: whether the server saw them is not known. */
  async #sayAndLeave(peer) {
    const count = 1 + Math.floor(this.#random() * 5);
    Place.counts.sent += count;
    Place.counts.unsure += count;
    await peer.write(Buffer.concat(Array(count).fill(frame(OPCODE.text, 'to nobody'))));
  }
}
