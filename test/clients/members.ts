/** WebSocket clients of an example that talk to each other, each of which reads what it has heard one by one. */
import { once } from 'node:events';
import { type RawData, WebSocket } from 'ws';

export class Members {
  readonly #members: WebSocket[] = [];

  /** `read` makes what `next` resolves to of a message. */
  async join<Heard>(url: string | URL, read: (data: RawData, isBinary: boolean) => Heard) {
    const member = new WebSocket(url);
    this.#members.push(member);
    const heard: Heard[] = [];
    member.on('message', (data, isBinary) => heard.push(read(data, isBinary)));
    const next = async () => {
      if (heard.length === 0) await once(member, 'message');
      return heard.shift();
    };
    await once(member, 'open');
    return { member, next };
  }

  /** Closes one after the other. */
  async leave(): Promise<void> {
    for (const member of this.#members.splice(0)) {
      if (member.readyState === WebSocket.CLOSED) continue;
      member.close();
      await once(member, 'close');
    }
  }
}
