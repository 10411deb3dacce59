// The chat panel. The server passes messages on as they are; only this page knows names: each message is
// JSON, { id, name, text } or { id, name, event: 'joined' | 'left' }.

import { clock } from './bytes.js';
import { append, element } from './dom.js';

const LINES = 400;
const NAMES = [
  'Ada',
  'Alan',
  'Barbara',
  'Donald',
  'Edsger',
  'Frances',
  'Grace',
  'Kathleen',
  'Leslie',
  'Radia',
];
const TINTS = 6;

const id = crypto.getRandomValues(new Uint32Array(2)).join('-');

const tint = (name) => `tint-${[...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % TINTS}`;

/** What came from the wire, if it is one of ours; anything else is shown as it is, from nobody. */
function parse(data) {
  if (typeof data !== 'string') return { name: 'somebody', text: `${data.length} bytes of binary` };
  try {
    const { name, text, event, id } = JSON.parse(data);
    if (typeof name === 'string' && (typeof text === 'string' || event === 'joined' || event === 'left'))
      return { id, name, text, event };
  } catch {
    // Not JSON: another client of this path, and welcome.
  }
  return { name: 'somebody', text: data };
}

export function chatPanel(session, panel) {
  const talk = panel.querySelector('.talk');
  const composer = panel.querySelector('form');
  const fields = composer.elements;
  const say = (message) => session.send(JSON.stringify({ id, name: fields.name.value.trim(), ...message }));
  let last;

  function note(text) {
    last = undefined;
    append(talk, element('li', 'note', text), LINES);
  }

  function show(message) {
    if (message.event) return note(`${message.name} ${message.event}`);
    const line = element('li', message.id === id ? 'mine' : '');
    const author = `${message.id}:${message.name}`;
    if (author === last) line.classList.add('again');
    else line.append(element('span', `name ${tint(message.name)}`, message.name));
    last = author;
    line.append(element('p', '', message.text), element('time', '', clock().slice(0, 5)));
    append(talk, line, LINES);
  }

  function setEnabled() {
    for (const field of [fields.text, fields.send]) field.disabled = !session.connected;
    fields.name.readOnly = session.connected;
  }

  session.addEventListener('message', ({ detail }) => show(parse(detail.data)));
  session.addEventListener('state', ({ detail: { from, to } }) => {
    setEnabled();
    if (from === 'handshaking' && to === 'open') say({ event: 'joined' });
  });
  session.addEventListener('closed', ({ detail }) =>
    note(detail.refused ? 'No connection was made.' : `You are no longer connected (${detail.code}).`),
  );
  composer.addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    if (!session.connected || fields.text.value.trim() === '') return;
    say({ text: fields.text.value });
    fields.text.value = '';
  });

  fields.name.value = localStorage.getItem('name') ?? NAMES[Math.floor(Math.random() * NAMES.length)];
  fields.name.addEventListener('change', () => {
    fields.name.value = fields.name.value.trim() || NAMES[0];
    localStorage.setItem('name', fields.name.value);
  });
  setEnabled();

  return { leave: () => say({ event: 'left' }) };
}
