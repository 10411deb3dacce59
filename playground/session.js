// One WebSocket to one path, with what the page wants to know of it: its state, its counts and its round trips.
//
// The states are the server's names, seen from here. A browser tells its page nothing of fragments, so
// `fragmenting` here means: a message has begun to leave and bytes of it are still queued in the browser. Before the
// first connection the state is `new`.
//
// Events: `state` { from, to }, `message` { data, roundTrip, note }, `closed` { code, reason, wasClean, initiator },
// `change` (a count is new).

import { byteLength } from './bytes.js';

const HISTORY = 60; // round trips kept
const LARGE = 65_536; // bytes of a message that a browser hardly sends in one go

export class Session extends EventTarget {
  state = 'new';
  report = undefined;
  handshake = undefined;
  out = { messages: 0, bytes: 0 };
  in = { messages: 0, bytes: 0 };
  roundTrips = [];
  #socket;
  #waiting = [];
  #weClosed = false;

  /** `echoes`: each message comes back, in order, so a round trip can be timed. */
  constructor(path, { echoes = false } = {}) {
    super();
    this.path = path;
    this.url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;
    this.echoes = echoes;
  }

  get connected() {
    return this.state === 'open' || this.state === 'fragmenting';
  }

  get idle() {
    return this.state === 'new' || this.state === 'closed';
  }

  get queued() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  connect() {
    const began = performance.now();
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.handshake = performance.now() - began;
      this.#enter('open');
    };
    socket.onmessage = ({ data }) => this.#received(typeof data === 'string' ? data : new Uint8Array(data));
    socket.onclose = ({ code, reason, wasClean }) => this.#closed(code, reason, wasClean);
    this.#socket = socket;
    this.#waiting = [];
    this.#weClosed = false;
    this.report = undefined;
    this.handshake = undefined;
    this.out = { messages: 0, bytes: 0 };
    this.in = { messages: 0, bytes: 0 };
    this.roundTrips = [];
    this.#enter('handshaking');
  }

  /** Sends a string or a Uint8Array; `note` comes back with its echo, and keeps it out of the round trips. */
  send(data, note) {
    const size = byteLength(data);
    if (this.echoes) this.#waiting.push({ at: performance.now(), note });
    this.#socket.send(data);
    this.out.messages += 1;
    this.out.bytes += size;
    this.#emit('change');
    if (size >= LARGE) this.#watchQueue();
    else setTimeout(() => this.#watchQueue());
  }

  /** Begins the closing handshake, or gives up the opening one. Throws what the browser throws. */
  close(code, reason) {
    this.#socket.close(code, reason);
    this.#weClosed = true;
    if (this.connected) this.#enter('closing');
  }

  #received(data) {
    const size = byteLength(data);
    const sent = this.#waiting.shift();
    const roundTrip = sent && performance.now() - sent.at;
    const alone = sent && !sent.note;
    this.in.messages += 1;
    this.in.bytes += size;
    if (alone) this.roundTrips = [...this.roundTrips, roundTrip].slice(-HISTORY);
    this.#emit('message', { data, roundTrip, note: sent?.note });
    this.#emit('change');
  }

  #closed(code, reason, wasClean) {
    if (wasClean && this.connected) this.#enter('closing');
    const refused = this.handshake === undefined;
    const initiator = refused ? 'nobody' : this.#weClosed ? 'us' : wasClean ? 'the server' : 'nobody';
    this.report = { code, reason, wasClean, initiator, refused };
    this.#enter('closed');
    this.#emit('closed', this.report);
  }

  #watchQueue() {
    if (this.state === 'open' && this.queued > 0) this.#enter('fragmenting');
    if (this.state !== 'fragmenting') return;
    if (this.queued === 0) this.#enter('open');
    else setTimeout(() => this.#watchQueue(), 10);
  }

  #enter(to) {
    const from = this.state;
    this.state = to;
    this.#emit('state', { from, to });
    this.#emit('change');
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
