// The echo panel: what goes out, what comes back, when, and how large it was.

import { byteLength, bytes, clock, count, duration, hex, hexDump, parseHex } from './bytes.js';
import { append, element } from './dom.js';

const ROWS = 400;
const SHOWN = 4096; // characters of one message shown when it is unfolded
const SAMPLES = {
  hello: () => 'Hello, Portal.',
  script: () => 'Grüße · Κόσμε · Привет · 😀',
  empty: () => '',
  kilobytes: () => crypto.getRandomValues(new Uint8Array(65_536)),
  large: () => 'portal. '.repeat(65_536),
  oversize: () => new Uint8Array(1_048_577), // one byte more than the server's default cap
};

export function echoPanel(session, panel) {
  const log = panel.querySelector('.log');
  const composer = panel.querySelector('form');
  const fields = composer.elements;
  const problem = panel.querySelector('.problem');
  const tell = (text) => {
    problem.textContent = text;
  };

  function row(direction, sign, name, body, size = '', time = '') {
    const made = element('li', direction);
    const mark = element('span', 'sign', sign);
    mark.setAttribute('aria-hidden', 'true');
    const figure = element('span', 'figures');
    figure.append(element('span', '', size), element('span', '', time));
    made.append(element('time', '', clock()), mark, element('span', 'hidden', name), body, figure);
    append(log, made, ROWS);
  }

  const event = (text, time) => row('event', '•', 'event', element('span', 'body', text), '', time);

  function message(direction, data, time) {
    const [sign, name] = direction === 'out' ? ['↑', 'sent'] : ['↓', 'received'];
    row(direction, sign, name, preview(data), bytes(byteLength(data)), time);
  }

  session.addEventListener('state', ({ detail: { from, to } }) => {
    if (to === 'handshaking') event(`connecting to ${session.url}`);
    else if (from === 'handshaking' && to === 'open') event('open', duration(session.handshake));
    setEnabled();
  });
  session.addEventListener('closed', ({ detail }) => event(describeClose(detail)));
  session.addEventListener('message', ({ detail: { data, roundTrip, note } }) => {
    if (!note) return message('in', data, duration(roundTrip));
    note.left -= 1;
    if (note.left > 0) return;
    const took = performance.now() - note.began;
    event(
      `${count(note.count)} messages there and back, ${count(Math.round((note.count / took) * 1000))} a second`,
      duration(took),
    );
  });

  function send(data) {
    tell('');
    session.send(data);
    message('out', data);
  }

  function burst() {
    const note = { count: 1000, left: 1000, began: performance.now() };
    for (let n = 0; n < note.count; n += 1) session.send(`message ${n}`, note);
  }

  async function sendFile(file) {
    if (file) send(new Uint8Array(await file.arrayBuffer()));
  }

  function setEnabled() {
    for (const field of panel.querySelectorAll('button:not([data-clear]), textarea'))
      field.disabled = !session.connected;
    fields.file.disabled = !session.connected;
  }

  function setKind() {
    const asHex = fields.kind.value === 'hex';
    fields.text.placeholder = asHex ? 'de ad be ef' : 'A message';
    fields.text.classList.toggle('mono', asHex);
    tell('');
  }

  composer.addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    if (!session.connected) return;
    try {
      send(fields.kind.value === 'hex' ? parseHex(fields.text.value) : fields.text.value);
      fields.text.value = '';
    } catch (error) {
      tell(error.message);
    }
    fields.text.focus();
  });
  fields.text.addEventListener('keydown', (key) => {
    if (key.key !== 'Enter' || key.shiftKey || key.isComposing) return;
    key.preventDefault();
    composer.requestSubmit();
  });
  for (const kind of fields.kind) kind.addEventListener('change', setKind);
  fields.file.addEventListener('change', async () => {
    await sendFile(fields.file.files[0]);
    fields.file.value = '';
  });
  for (const sample of panel.querySelectorAll('[data-sample]'))
    sample.addEventListener('click', () => send(SAMPLES[sample.dataset.sample]()));
  panel.querySelector('[data-burst]').addEventListener('click', burst);
  panel.querySelector('[data-clear]').addEventListener('click', () => log.replaceChildren());
  panel.addEventListener('dragover', (drag) => drag.preventDefault());
  panel.addEventListener('drop', (drop) => {
    drop.preventDefault();
    if (session.connected) sendFile(drop.dataTransfer.files[0]);
  });

  setKind();
  setEnabled();
}

/** A message in one line; a long one unfolds. */
function preview(data) {
  const text = typeof data === 'string';
  const line = text ? data.slice(0, 200) : hex(data.subarray(0, 24));
  const whole = text ? line.length === data.length && !data.includes('\n') : data.length <= 24;
  const kind = `body ${text ? 'text' : 'mono'}`;
  if (data.length === 0) return element('span', 'body empty', text ? 'empty text' : 'empty binary');
  if (whole) return element('span', kind, line);
  const details = element('details', kind);
  const full = text ? data.slice(0, SHOWN) : hexDump(data);
  const rest = text && data.length > SHOWN ? `\n… and ${count(data.length - SHOWN)} characters more` : '';
  details.append(element('summary', '', `${line} …`), element('pre', '', full + rest));
  return details;
}

export function describeClose({ code, reason, wasClean, initiator, refused }) {
  if (refused) return 'refused: no connection was made';
  if (!wasClean) return `lost, code ${code}`;
  return `closed by ${initiator} with ${code}${reason ? ` “${reason}”` : ''}`;
}
