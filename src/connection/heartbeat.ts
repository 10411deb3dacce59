/**
 * The Pings of the heartbeat and the Pongs that answer them (RFC 6455 5.5.2, 5.5.3): each Ping carries a number of its
 * own, so that its Pong is known and the round trip can be told.
 */
export class Heartbeat {
  /** Round-trip time of the last answered Ping in milliseconds; undefined before the first. */
  rtt: number | undefined;
  #number = 0;
  #sentMs = 0;

  /** The payload of the next Ping. */
  next(nowMs: number): Uint8Array {
    this.#number = (this.#number + 1) >>> 0;
    this.#sentMs = nowMs;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, this.#number);
    return payload;
  }

  /** Whether this Pong answers the last Ping; then the round trip is noted. */
  isAnswer(payload: Uint8Array, nowMs: number): boolean {
    if (payload.length !== 4) return false;
    if (new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0) !== this.#number) return false;
    this.rtt = nowMs - this.#sentMs;
    return true;
  }
}
