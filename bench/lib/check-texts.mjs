// What the generator does not do where messages are compressed: it inflates the echoes and compares them with what was sent.
import { WebSocket } from 'ws';
import { texts } from '../load/frames.mjs';

const LIMIT_MS = 10_000;

/** Sends all texts of so many bytes through a client of `ws`; rejects when one does not come back as it was. */
export async function checkTexts(port, bytes) {
  const sent = texts(bytes);
  const client = new WebSocket(`ws://127.0.0.1:${port}/echo`, { perMessageDeflate: { threshold: 0 } });
  try {
    await new Promise((resolve, reject) => {
      let next = 0;
      setTimeout(() => reject(new Error('echoes did not come')), LIMIT_MS).unref();
      client.on('error', reject);
      client.on('close', (code) => reject(new Error(`closed with ${code}`)));
      client.on('open', () => {
        if (!client.extensions.startsWith('permessage-deflate')) reject(new Error('nothing is compressed'));
        for (const text of sent) client.send(text);
      });
      client.on('message', (data) => {
        if (String(data) !== sent[next++]) reject(new Error(`echo ${next} is not what was sent`));
        else if (next === sent.length) resolve();
      });
    });
  } finally {
    client.terminate();
  }
}
