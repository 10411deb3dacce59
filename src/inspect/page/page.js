// The live page: takes samples from the feed and shows them. It keeps nothing but what it shows.

const ROW_PX = 30;
const LOG_ROWS = 300;
const ZOOMS = [60, 80, 100, 130, 170, 220];
const SERVER_ID = 0;
const NOBODY = -1;

const byId = (id) => document.getElementById(id);
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const number = new Intl.NumberFormat('en');

const view = { state: '', path: '', from: 0, count: 0 };
let machine = 'connection';
let connectionId = NOBODY;
let zoom = 2;
let socket;

// ---------------------------------------------------------------- the feed

function connect() {
  const url = new URL(`live${location.search}`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  socket = new WebSocket(url);
  socket.onopen = () => {
    byId('feed').textContent = '';
    look();
    choose(chosenId());
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'sample') show(message);
    if (message.type === 'problem') byId('problem').textContent = message.message;
  };
  socket.onclose = () => {
    byId('feed').textContent = 'The inspector does not answer; trying again.';
    setTimeout(connect, 1000);
  };
}

function ask(request) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
}

const chosenId = () => (machine === 'server' ? SERVER_ID : connectionId);

function choose(id) {
  byId('log').replaceChildren();
  byId('problem').textContent = '';
  unlight();
  ask({ type: 'choose', id });
}

function show(sample) {
  showCounts(sample);
  showRows(sample);
  const { chosen } = sample;
  if (chosen === null || chosen.id !== chosenId()) {
    if (chosenId() === NOBODY) showNobody();
    return;
  }
  showChosen(chosen, sample);
  showEntries(chosen);
  light(chosen);
}

// ---------------------------------------------------------------- how many are where

function showCounts({ stats, server }) {
  const { connections } = stats;
  const all = Object.values(connections).reduce((sum, count) => sum + count, 0);
  for (const place of document.querySelectorAll('[data-count]')) {
    setText(place, number.format(place.dataset.count === 'all' ? all : connections[place.dataset.count]));
  }
  for (const place of document.querySelectorAll('[data-total]')) {
    const name = place.dataset.total;
    setText(place, name.startsWith('bytes') ? size(stats[name]) : number.format(stats[name]));
  }
  setText(byId('server-state'), server);
  for (const [state, count] of Object.entries(connections)) {
    setText(population(state), count > 0 ? number.format(count) : '');
  }
}

/** The figure in the corner of a state of the chart: how many are in it. */
function population(state) {
  const group = byId('chart-connection').querySelector(`.state[data-state="${state}"]`);
  let figure = group.querySelector(':scope > .population');
  if (figure === null) {
    const box = group.querySelector('.box');
    figure = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    figure.setAttribute('class', 'population');
    figure.setAttribute('x', Number(box.getAttribute('x')) + Number(box.getAttribute('width')) - 8);
    figure.setAttribute('y', Number(box.getAttribute('y')) - 6);
    group.append(figure);
  }
  return figure;
}

for (const button of document.querySelectorAll('[data-filter]')) {
  button.onclick = () => {
    view.state = button.dataset.filter;
    for (const other of document.querySelectorAll('[data-filter]')) {
      other.setAttribute('aria-pressed', String(other === button));
    }
    lookFromTop();
  };
}

byId('path').oninput = () => {
  view.path = byId('path').value;
  lookFromTop();
};

// ---------------------------------------------------------------- the list

/** Tells the feed which rows are in sight. */
function look() {
  const { scrollTop, clientHeight } = byId('window');
  view.from = Math.max(0, Math.floor(scrollTop / ROW_PX) - 5);
  view.count = Math.ceil(clientHeight / ROW_PX) + 10;
  ask({ type: 'view', ...view });
}

function lookFromTop() {
  byId('window').scrollTop = 0;
  look();
}

let looking = false;
byId('window').onscroll = () => {
  if (looking) return;
  looking = true;
  requestAnimationFrame(() => {
    looking = false;
    look();
  });
};
new ResizeObserver(look).observe(byId('window'));

function showRows({ total, from, rows }) {
  const list = byId('rows');
  list.style.height = `${total * ROW_PX}px`;
  byId('none').hidden = total > 0;
  byId('none').textContent =
    view.state === '' && view.path === '' ? 'No connection yet.' : 'No connection is like that.';
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) list.append(newRow());
  rows.forEach((row, index) => {
    fillRow(list.children[index], row, from + index);
  });
}

function newRow() {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  for (const name of ['dot', 'id', 'path', 'traffic']) {
    const span = document.createElement('span');
    span.className = name;
    button.append(span);
  }
  button.onclick = () => {
    connectionId = Number(item.dataset.id);
    if (machine === 'server') turnTo('connection');
    else choose(connectionId);
    for (const other of document.querySelectorAll('#rows li')) markCurrent(other);
  };
  item.append(button);
  return item;
}

function fillRow(item, { id, path, remoteAddress, state, messagesIn, messagesOut }, index) {
  item.dataset.id = id;
  item.style.top = `${index * ROW_PX}px`;
  const [dot, idPlace, pathPlace, traffic] = item.firstChild.children;
  dot.className = `dot ${state}`;
  item.firstChild.title = `connection ${id}, ${state}, from ${remoteAddress}`;
  item.firstChild.setAttribute('aria-label', `connection ${id} on ${path || 'no path yet'}, ${state}`);
  setText(idPlace, `#${id}`);
  setText(pathPlace, path || remoteAddress);
  setText(traffic, `${number.format(messagesIn)} in · ${number.format(messagesOut)} out`);
  markCurrent(item);
}

function markCurrent(item) {
  item.firstChild.setAttribute('aria-current', String(Number(item.dataset.id) === connectionId));
}

// ---------------------------------------------------------------- the chosen one

function showNobody() {
  setText(byId('chosen-title'), 'No connection chosen');
  setText(byId('chosen-where'), '');
  setText(byId('last'), '');
  byId('hint').hidden = false;
  for (const id of ['chosen-state', 'counters', 'close', 'log']) byId(id).hidden = true;
}

function showChosen({ id, value, path, remoteAddress, stats, report }, { stats: all }) {
  const isServer = id === SERVER_ID;
  byId('hint').hidden = true;
  for (const place of ['chosen-state', 'log']) byId(place).hidden = false;
  setText(byId('chosen-title'), isServer ? 'Server' : `Connection ${id}`);
  setText(byId('chosen-where'), isServer ? '' : [path, remoteAddress].filter(Boolean).join('  ·  '));
  if (report) {
    const how = report.wasClean ? 'clean' : 'not clean';
    const reason = report.reason === '' ? '' : `  ·  ${report.reason}`;
    setText(
      byId('chosen-where'),
      `${path}  ·  closed with ${report.code} by the ${report.initiator}, ${how}${reason}`,
    );
  }
  setText(byId('chosen-state'), value ?? 'gone');
  byId('chosen-state').classList.toggle('over', value === null || value === 'closed');
  byId('close').hidden = isServer || value === null || value === 'closed';
  byId('counters').hidden = value === null;
  const counters = isServer ? all : stats;
  if (counters === undefined) return;
  for (const place of document.querySelectorAll('[data-counter]')) {
    const name = place.dataset.counter;
    const given = counters[name];
    place.parentElement.hidden = isServer && given === undefined;
    setText(place, counter(name, given));
  }
}

function counter(name, value) {
  if (name === 'rtt') return value === undefined ? '–' : `${value.toFixed(1)} ms`;
  if (name === 'age') return value === undefined ? '' : duration(value);
  return name.startsWith('messages') ? number.format(value) : size(value);
}

byId('close').onsubmit = (event) => {
  event.preventDefault();
  const { code, reason } = byId('close').elements;
  byId('problem').textContent = '';
  ask({ type: 'close', id: connectionId, code: Number(code.value), reason: reason.value });
};

function showEntries({ entries, skipped }) {
  const log = byId('log');
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (skipped > 0) log.append(note(`${number.format(skipped)} events are not shown`));
  for (const entry of entries) log.append(logRow(entry));
  while (log.children.length > LOG_ROWS) log.firstElementChild.remove();
  if (follow && (entries.length > 0 || skipped > 0)) log.scrollTop = log.scrollHeight;
}

function note(text) {
  const row = document.createElement('li');
  row.append(cell('span', 'skipped', text));
  return row;
}

function logRow({ at, event, from, to, bytes, opcode }) {
  const row = document.createElement('li');
  const time = cell('time', '', new Date(at).toISOString().slice(11, 23));
  const name = opcode === undefined ? event : `${event} · ${opcode}`;
  row.append(time, cell('span', from === to ? 'inplace' : '', name));
  row.append(cell('span', 'bytes', bytes === undefined ? '' : `${number.format(bytes)} B`));
  if (from !== to) row.append(cell('span', 'change', `${from} → ${to}`));
  return row;
}

function cell(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// ---------------------------------------------------------------- the chart

const chart = () => byId(`chart-${machine}`);

/** A state and those around it, innermost first. */
function around(path) {
  const parts = path.split('.');
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('.'));
}

function light({ value, entries }) {
  if (value === null) return unlight();
  const states = around(value);
  for (const group of chart().querySelectorAll('.state')) {
    group.classList.toggle('lit', group.dataset.state === states[0]);
    group.classList.toggle('within', states.indexOf(group.dataset.state) > 0);
  }
  const last = entries.at(-1);
  if (last === undefined) return;
  // The arrow of the last change stays lit; what was answered in place since then is lit beside it.
  const change = entries.findLast(({ from, to }) => from !== to);
  if (change !== undefined) {
    setText(byId('last'), `${change.from} → ${change.to}  ·  ${change.event}`);
    fireArrow(change);
  }
  fireInside(last);
  keepInSight(states[0]);
}

function unlight() {
  setText(byId('last'), '');
  for (const group of chart().querySelectorAll('.lit, .within, .fired')) {
    group.classList.remove('lit', 'within', 'fired');
  }
  for (const dot of chart().querySelectorAll('.traveller')) dot.remove();
}

function quench(selector) {
  for (const old of chart().querySelectorAll(selector)) old.classList.remove('fired');
}

/** Lights the way that a change of state took. */
function fireArrow({ event, from, to }) {
  quench('.line.fired, .label .fired');
  for (const source of around(from)) {
    const arrow = [...chart().querySelectorAll('path[data-arrow]')].find(({ dataset }) => {
      const [begin, end] = dataset.arrow.split('>');
      return begin === source && around(to).includes(end) && dataset.events.split(' ').includes(event);
    });
    if (arrow === undefined) continue;
    arrow.classList.add('fired');
    const label = `g[data-arrow="${arrow.dataset.arrow}"] [data-event="${event}"]`;
    chart().querySelector(label)?.classList.add('fired');
    travel(arrow);
    return;
  }
}

/** Lights the name of an event that was answered in place. */
function fireInside({ event, from, to }) {
  quench('.inside.fired');
  if (from !== to) return;
  const name = around(from)
    .map((state) => chart().querySelector(`[data-state="${state}"] > .inside[data-event="${event}"]`))
    .find((found) => found !== null);
  name?.classList.add('fired');
}

/** A dot goes along the arrow. */
function travel(arrow) {
  for (const old of chart().querySelectorAll('.traveller')) old.remove();
  if (calm.matches) return;
  const dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
  dot.setAttribute('class', 'traveller');
  dot.setAttribute('r', '6');
  arrow.ownerSVGElement.append(dot);
  const length = arrow.getTotalLength();
  const duration_ms = Math.min(900, 350 + length / 2);
  const begun = performance.now();
  const step = (now) => {
    const part = Math.min(1, (now - begun) / duration_ms);
    const { x, y } = arrow.getPointAtLength(length * (1 - (1 - part) ** 3));
    dot.setAttribute('cx', x);
    dot.setAttribute('cy', y);
    if (part < 1 && dot.isConnected) requestAnimationFrame(step);
    else dot.remove();
  };
  requestAnimationFrame(step);
}

function keepInSight(state) {
  const sheet = chart();
  const box = sheet.querySelector(`.state[data-state="${state}"] > .box`)?.getBoundingClientRect();
  if (box === undefined) return;
  const sight = sheet.getBoundingClientRect();
  const inside =
    box.top >= sight.top && box.bottom <= sight.bottom && box.left >= sight.left && box.right <= sight.right;
  if (inside) return;
  sheet.scrollBy({
    top: (box.top + box.bottom - sight.top - sight.bottom) / 2,
    left: (box.left + box.right - sight.left - sight.right) / 2,
    behavior: calm.matches ? 'instant' : 'smooth',
  });
}

function turnTo(name) {
  unlight();
  machine = name;
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const selected = tab.dataset.machine === name;
    tab.setAttribute('aria-selected', String(selected));
    byId(tab.getAttribute('aria-controls')).hidden = !selected;
  }
  if (chosenId() === NOBODY) showNobody();
  choose(chosenId());
}

for (const tab of document.querySelectorAll('[role="tab"]')) tab.onclick = () => turnTo(tab.dataset.machine);

function rescale(step) {
  zoom = Math.min(Math.max(zoom + step, 0), ZOOMS.length - 1);
  byId('machine').style.setProperty('--zoom', `${ZOOMS[zoom]}%`);
}
byId('smaller').onclick = () => rescale(-1);
byId('larger').onclick = () => rescale(1);

// ---------------------------------------------------------------- words

function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function size(bytes) {
  if (bytes < 10_000) return `${number.format(bytes)} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

function duration(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${(ms / 1000).toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

connect();
