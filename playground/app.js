// The page: two sessions, one in view at a time, with its connection bar, its statechart and its figures.

import { bytes, count, duration } from './bytes.js';
import { Chart } from './chart.js';
import { chatPanel } from './chat.js';
import { describeClose, echoPanel } from './echo.js';
import { Session } from './session.js';

const $ = (selector) => document.querySelector(selector);

const sessions = { echo: new Session('/echo', { echoes: true }), chat: new Session('/chat') };
const chart = new Chart($('#chart'));
const tabs = [...document.querySelectorAll('[role=tab]')];
const bar = $('#bar');
let view = 'echo';

echoPanel(sessions.echo, $('#echo'));
const chat = chatPanel(sessions.chat, $('#chat'));

const SENTENCE = {
  new: () => 'Not connected yet.',
  handshaking: () => 'The request head is out; the answer 101 has not come yet.',
  open: () => 'Between messages.',
  fragmenting: (session) => `A message is leaving: ${bytes(session.queued)} still queued here.`,
  closing: () => 'Our Close is out; we wait for the server’s.',
  closed: ({ report }) => `${sentence(describeClose(report))}.`,
};

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

const total = (done) =>
  `${count(done.messages)} ${done.messages === 1 ? 'message' : 'messages'} · ${bytes(done.bytes)}`;

function draw() {
  const session = sessions[view];
  const { state, idle, roundTrips } = session;
  document.body.dataset.state = state;
  $('#url').textContent = session.url;
  $('#state').textContent = state === 'new' ? 'not connected' : state;
  $('#caption').textContent = SENTENCE[state](session);
  $('#connect').hidden = !idle;
  $('#close').hidden = idle;
  $('#close').disabled = state === 'closing';
  $('#goodbye').hidden = !session.connected;
  $('#out').textContent = total(session.out);
  $('#in').textContent = total(session.in);
  $('#handshake').textContent = session.handshake === undefined ? '–' : duration(session.handshake);
  $('#round-trip').hidden = !session.echoes;
  drawRoundTrips(roundTrips);
}

function drawRoundTrips(roundTrips) {
  const sorted = roundTrips.toSorted((a, b) => a - b);
  const text = (ms) => (ms === undefined ? '–' : duration(ms));
  $('#last').textContent = text(roundTrips.at(-1));
  $('#median').textContent = text(sorted[Math.floor(sorted.length / 2)]);
  $('#best').textContent = text(sorted[0]);
  const top = sorted.at(-1) ?? 1;
  const point = (ms, n) => `M${4 * n + 2} 36v${-Math.max(2, (34 * ms) / top).toFixed(1)}`;
  $('#history').setAttribute('d', roundTrips.map(point).join(''));
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

for (const [name, session] of Object.entries(sessions)) {
  session.addEventListener('change', () => name === view && drawSoon());
  session.addEventListener('state', ({ detail: { from, to } }) => name === view && chart.move(from, to));
}

function select(name, focus = false) {
  view = name;
  for (const tab of tabs) {
    const chosen = tab.dataset.view === name;
    tab.setAttribute('aria-selected', String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tab.focus();
    $(`#${tab.dataset.view}`).hidden = !chosen;
  }
  history.replaceState(null, '', `#${name}`);
  chart.show(sessions[name].state);
  draw();
}

for (const tab of tabs) tab.addEventListener('click', () => select(tab.dataset.view));
$('[role=tablist]').addEventListener('keydown', ({ key }) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (step)
    select(
      tabs.at((tabs.findIndex((tab) => tab.dataset.view === view) + step) % tabs.length).dataset.view,
      true,
    );
});

$('#connect').addEventListener('click', () => {
  sessions[view].connect();
  $('#close').focus();
});

// A page may say 1000 or 3000 to 4999 (RFC 6455 7.4); the reason's limit is in bytes (RFC 6455 5.5).
function checkGoodbye() {
  const { code, reason } = bar.elements;
  const number = Number(code.value);
  const allowed = number === 1000 || (number >= 3000 && number <= 4999);
  const long = new TextEncoder().encode(reason.value).length > 123;
  code.setCustomValidity(allowed ? '' : 'A browser may close with 1000, or with 3000 to 4999.');
  reason.setCustomValidity(long ? 'A reason has room for 123 bytes of UTF-8.' : '');
}

bar.addEventListener('input', checkGoodbye);
bar.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const session = sessions[view];
  if (session.idle) return;
  const { code, reason } = bar.elements;
  if (view === 'chat' && session.connected) chat.leave();
  session.close(Number(code.value), reason.value);
  drawSoon();
});

select(location.hash === '#chat' ? 'chat' : 'echo');
