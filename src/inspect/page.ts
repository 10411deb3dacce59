/**
 * The live page, whole: made by `npm run diagrams` from scripts/diagrams/page and the machines. Do not edit.
 */
export const PAGE: string = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Portal inspector</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <link rel="icon" href="data:,">
    <style>/* One screen: who is there, where they are in the chart, what happened. Figures do not dance. */

:root {
  --paper: #f6f5f1;
  --card: #fffefb;
  --ink: #1f2328;
  --soft: #5d646c;
  --line: #dfdcd3;
  --field: #ffffff;
  --accent: #0f766e;
  --accent-ink: #ffffff;
  --accent-wash: #dff0ec;
  --warn: #a8441a;
  --arrow: #8d949b;
  --sans:
    -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Liberation Sans", "Helvetica Neue", Arial,
    sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace;
}

@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a;
    --card: #1b1f23;
    --ink: #e6e4df;
    --soft: #9aa2aa;
    --line: #30363c;
    --field: #14171a;
    --accent: #5ecdc0;
    --accent-ink: #0c2320;
    --accent-wash: #1c3935;
    --warn: #f0a27d;
    --arrow: #737b83;
  }
}

* {
  box-sizing: border-box;
}

[hidden] {
  /* biome-ignore lint/complexity/noImportantStyles: hidden means hidden, whatever the layout */
  display: none !important;
}

body {
  display: flex;
  flex-direction: column;
  gap: 0.875rem;
  min-height: 100dvh;
  margin: 0;
  padding: 1rem clamp(0.75rem, 2vw, 1.5rem);
  color: var(--ink);
  background: var(--paper);
  font: 0.875rem / 1.45 var(--sans);
  font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%;
}

h1,
h2,
p,
ol,
ul,
dl,
dd {
  margin: 0;
  padding: 0;
}

ol,
ul {
  list-style: none;
}

button,
input {
  font: inherit;
  color: inherit;
}

button {
  padding: 0.25rem 0.625rem;
  border: 1px solid var(--line);
  border-radius: 7px;
  background: var(--card);
  cursor: pointer;
}

button:hover {
  border-color: var(--soft);
}

:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}

input {
  min-width: 0;
  padding: 0.25rem 0.5rem;
  border: 1px solid var(--line);
  border-radius: 7px;
  background: var(--field);
}

.mono {
  font: 0.75rem / 1.5 var(--mono);
}

.card {
  display: flex;
  flex-direction: column;
  min-width: 0;
  min-height: 0;
  border: 1px solid var(--line);
  border-radius: 12px;
  background: var(--card);
  overflow: hidden;
}

.bar {
  display: flex;
  gap: 0.75rem;
  align-items: center;
  justify-content: space-between;
  min-height: 2.75rem;
  padding: 0.4rem 0.875rem;
  border-bottom: 1px solid var(--line);
}

h2 {
  font-size: 0.9375rem;
  font-weight: 600;
}

.nothing {
  padding: 0.875rem;
  color: var(--soft);
}

.pill {
  padding: 0.05rem 0.6rem;
  border-radius: 99px;
  background: var(--accent-wash);
  color: var(--accent);
  font: 600 0.75rem / 1.6 var(--mono);
}

.pill.over {
  background: none;
  box-shadow: inset 0 0 0 1px var(--line);
  color: var(--soft);
}

/* The head: how many are where */

header {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem 1.25rem;
  align-items: center;
}

h1 {
  display: flex;
  gap: 0.5rem;
  align-items: center;
  font-size: 1.0625rem;
  font-weight: 650;
}

h1 span {
  color: var(--soft);
  font-weight: 400;
}

h1 svg {
  width: 1.5rem;
  fill: var(--accent);
}

h1 path {
  fill: none;
  stroke: var(--ink);
  stroke-width: 3;
  stroke-linecap: round;
}

#feed {
  color: var(--warn);
}

#feed:empty {
  display: none;
}

#counts {
  display: flex;
  flex-wrap: wrap;
  gap: 0.375rem;
}

#counts button {
  color: var(--soft);
}

#counts b {
  color: var(--ink);
  font-weight: 650;
}

#counts [aria-pressed="true"] {
  border-color: var(--accent);
  background: var(--accent-wash);
}

#totals {
  display: flex;
  flex-wrap: wrap;
  flex-basis: 100%;
  gap: 0.125rem 1.25rem;
  font-size: 0.8125rem;
}

#totals div {
  display: flex;
  gap: 0.35rem;
}

dt {
  color: var(--soft);
}

/* The list: only what is in sight is in the document */

main {
  display: grid;
  flex: 1;
  gap: 0.875rem;
  grid-template: minmax(11rem, 2fr) minmax(18rem, 3fr) / minmax(20rem, 25rem) minmax(0, 1fr);
  grid-template-areas: "list machine" "chosen machine";
  min-height: 0;
}

#list {
  grid-area: list;
}

#machine {
  grid-area: machine;
}

#chosen {
  grid-area: chosen;
}

#path {
  flex: 1;
  max-width: 12rem;
}

#window {
  position: relative;
  flex: 1;
  min-height: 8rem;
  overflow: hidden auto;
  overscroll-behavior: contain;
}

#none:not([hidden]) {
  position: absolute;
  margin-top: 2.75rem;
}

#rows {
  position: relative;
}

#rows li {
  position: absolute;
  right: 0;
  left: 0;
  height: 30px;
}

#rows button {
  display: grid;
  grid-template-columns: 0.5rem 4.25rem minmax(0, 1fr) auto;
  gap: 0.625rem;
  align-items: center;
  width: 100%;
  height: 100%;
  padding: 0 0.875rem;
  border: 0;
  border-radius: 0;
  background: none;
  text-align: left;
}

#rows button:hover {
  background: var(--paper);
}

#rows [aria-current="true"],
#rows [aria-current="true"]:hover {
  background: var(--accent-wash);
}

#rows span {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

#rows .id {
  color: var(--soft);
}

#rows .traffic {
  color: var(--soft);
  font-size: 0.75rem;
}

.dot {
  width: 0.5rem;
  height: 0.5rem;
  border-radius: 50%;
  background: var(--accent);
}

.dot.handshaking {
  background: none;
  box-shadow: inset 0 0 0 2px var(--soft);
}

.dot.fragmenting {
  background: conic-gradient(var(--accent) 0 50%, var(--accent-wash) 0);
  box-shadow: inset 0 0 0 1px var(--accent);
}

.dot.closing {
  background: var(--warn);
}

.dot.closed {
  background: var(--line);
}

/* The chart */

[role="tablist"] {
  display: flex;
  gap: 0.25rem;
}

[role="tab"] {
  border-color: transparent;
  color: var(--soft);
}

[role="tab"][aria-selected="true"] {
  background: var(--accent-wash);
  color: var(--accent);
  font-weight: 600;
}

[role="tab"] i {
  font: 0.75rem var(--mono);
  opacity: 0.8;
}

#last {
  flex: 1;
  overflow: hidden;
  color: var(--soft);
  text-align: right;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.zoom {
  display: flex;
  gap: 0.25rem;
}

.sheet {
  flex: 1;
  min-height: 0;
  padding: 1rem;
  overflow: auto;
  overscroll-behavior: contain;
}

#machine {
  position: relative;
}

.statechart {
  display: block;
  width: var(--zoom, 100%);
  height: auto;
  margin: 0 auto;
  font-family: var(--sans);
}

#chart-connection .statechart {
  min-width: 52rem;
}

#chart-server .statechart {
  max-width: 40rem;
}

.box {
  fill: var(--paper);
  stroke: var(--line);
  stroke-width: 1.25;
  transition:
    fill 0.25s,
    stroke 0.25s;
}

.compound > .box {
  fill: var(--card);
}

.inner,
.rule {
  fill: none;
  stroke: var(--line);
  stroke-width: 1.25;
}

.name {
  fill: var(--ink);
  transition: fill 0.25s;
  font-size: 14px;
  font-weight: 600;
}

.compound > .name {
  paint-order: stroke;
  stroke: var(--card);
  stroke-width: 4px;
  stroke-linejoin: round;
}

.middle {
  text-anchor: middle;
}

.inside,
.event {
  fill: var(--soft);
  transition: fill 0.25s;
  font: 11px var(--mono);
}

.label .event {
  paint-order: stroke;
  stroke: var(--card);
  stroke-width: 3px;
  stroke-linejoin: round;
  text-anchor: middle;
}

.line {
  fill: none;
  stroke: var(--arrow);
  stroke-width: 1.25;
}

.tip,
.initial {
  fill: var(--arrow);
}

.state.within > .box {
  stroke: var(--accent);
  stroke-width: 1.5;
}

.state.lit > .box {
  fill: var(--accent);
  stroke: var(--accent);
}

.state.lit > .inner,
.state.lit > .rule {
  stroke: var(--accent-ink);
  opacity: 0.5;
}

.state.lit > .name,
.state.lit > .inside {
  fill: var(--accent-ink);
}

.line.fired {
  stroke: var(--accent);
  stroke-width: 2.25;
}

.event.fired,
.own .fired {
  fill: var(--accent);
  font-weight: 700;
}

.state.lit > .inside.fired {
  font-weight: 700;
}

.traveller {
  fill: var(--accent);
  stroke: var(--card);
  stroke-width: 2;
}

.population {
  fill: var(--accent);
  font-size: 13px;
  font-weight: 650;
  text-anchor: end;
}

/* The chosen one */

#chosen-where {
  padding: 0.5rem 0.875rem 0;
  color: var(--soft);
  overflow-wrap: anywhere;
}

#chosen-where:empty,
#problem:empty {
  display: none;
}

#counters {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(4.75rem, 1fr));
  gap: 0.375rem 0.5rem;
  padding: 0.5rem 0.875rem 0.625rem;
}

#counters dt {
  font-size: 0.75rem;
}

#counters dd {
  font-weight: 600;
}

#close {
  display: flex;
  gap: 0.5rem;
  align-items: center;
  padding: 0.5rem 0.875rem;
  border-top: 1px solid var(--line);
}

#close input {
  color: var(--ink);
}

#close label {
  display: flex;
  gap: 0.375rem;
  align-items: center;
  min-width: 0;
  color: var(--soft);
}

#close label + label {
  flex: 1;
}

#close label + label input {
  flex: 1;
}

#close [name="code"] {
  width: 4.75rem;
}

#close button {
  border-color: var(--warn);
  color: var(--warn);
}

#problem {
  padding: 0 0.875rem 0.5rem;
  color: var(--warn);
}

#log {
  flex: 1;
  min-height: 8rem;
  padding: 0.375rem 0;
  border-top: 1px solid var(--line);
  overflow: hidden auto;
  overscroll-behavior: contain;
}

#log li {
  display: grid;
  grid-template-columns: 5.6rem minmax(0, 1fr) auto;
  column-gap: 0.75rem;
  padding: 0.05rem 0.875rem;
}

#log time,
#log .bytes,
#log .inplace {
  color: var(--soft);
}

#log .bytes {
  text-align: right;
}

#log .change {
  grid-column: 2 / -1;
  color: var(--accent);
  overflow-wrap: anywhere;
}

#log .skipped {
  grid-column: 1 / -1;
  color: var(--soft);
}

@media (min-width: 1000px) {
  body {
    height: 100dvh;
  }
}

@media (min-width: 1700px) {
  #totals {
    flex-basis: auto;
    margin-left: auto;
  }

  main {
    grid-template: minmax(0, 1fr) / 21rem minmax(0, 1fr) 25rem;
    grid-template-areas: "list machine chosen";
  }
}

@media (max-width: 999px) {
  main {
    display: flex;
    flex-direction: column;
  }

  #list {
    height: 16rem;
    flex: none;
  }

  #log {
    max-height: 18rem;
  }

  .sheet {
    max-height: 85dvh;
  }

  #last {
    display: none;
  }
}

@media (prefers-reduced-motion: reduce) {
  .box,
  .name,
  .inside,
  .event {
    transition: none;
  }
}
</style>
  </head>
  <body>
    <header>
      <h1>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M22.5 5.6a12.3 12.3 0 1 0 0 20.8M19 11.3a6 6 0 1 0 0 9.4" />
          <circle cx="25.5" cy="16" r="3" />
        </svg>
        Portal <span>inspector</span>
      </h1>
      <p id="feed" role="status"></p>
      <ul id="counts" aria-label="Connections by state">
        <li><button type="button" data-filter="" aria-pressed="true"><b data-count="all">–</b> connections</button></li>
        <li><button type="button" data-filter="handshaking" aria-pressed="false"><b data-count="handshaking">–</b> handshaking</button></li>
        <li><button type="button" data-filter="open" aria-pressed="false"><b data-count="open">–</b> open</button></li>
        <li><button type="button" data-filter="fragmenting" aria-pressed="false"><b data-count="fragmenting">–</b> fragmenting</button></li>
        <li><button type="button" data-filter="closing" aria-pressed="false"><b data-count="closing">–</b> closing</button></li>
      </ul>
      <dl id="totals">
        <div><dt>opened</dt><dd data-total="opened">–</dd></div>
        <div><dt>closed</dt><dd data-total="closed">–</dd></div>
        <div><dt>refused</dt><dd data-total="refused">–</dd></div>
        <div><dt>messages in</dt><dd data-total="messagesIn">–</dd></div>
        <div><dt>messages out</dt><dd data-total="messagesOut">–</dd></div>
        <div><dt>bytes in</dt><dd data-total="bytesIn">–</dd></div>
        <div><dt>bytes out</dt><dd data-total="bytesOut">–</dd></div>
      </dl>
    </header>

    <main>
      <noscript><p>This page listens with JavaScript; it is switched off.</p></noscript>

      <section id="list" class="card" aria-labelledby="list-title">
        <div class="bar">
          <h2 id="list-title">Connections</h2>
          <input id="path" type="search" placeholder="Path contains…" aria-label="Show paths that contain" spellcheck="false" autocomplete="off">
        </div>
        <div id="window" tabindex="0"><ol id="rows"></ol></div>
        <p id="none" class="nothing">No connection yet.</p>
      </section>

      <section id="machine" class="card" aria-label="Statechart">
        <div class="bar">
          <div role="tablist" aria-label="Machines">
            <button type="button" role="tab" id="tab-connection" data-machine="connection" aria-controls="chart-connection" aria-selected="true">Connection</button>
            <button type="button" role="tab" id="tab-server" data-machine="server" aria-controls="chart-server" aria-selected="false">Server <i id="server-state"></i></button>
          </div>
          <p id="last" class="mono" aria-live="off"></p>
          <div class="zoom">
            <button type="button" id="smaller" aria-label="Smaller">−</button>
            <button type="button" id="larger" aria-label="Larger">+</button>
          </div>
        </div>
        <div class="sheet" id="chart-connection" role="tabpanel" aria-labelledby="tab-connection" tabindex="0"><svg xmlns="http://www.w3.org/2000/svg" class="statechart" viewBox="0 0 1160 1534" width="1160" height="1534" role="img" aria-label="connection: One WebSocket connection, from its first byte to its report (RFC 6455).">
<title>connection: One WebSocket connection, from its first byte to its report (RFC 6455).</title>
<defs><marker id="tip-connection" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 .8 7.4 4 0 7.2z"/></marker></defs>
<g class="state compound" data-state="handshaking"><title>The opening handshake, server side (RFC 6455 4.2).</title><rect class="box" x="253" y="34" width="348" height="356" rx="10"/><text class="name" x="264" y="55">handshaking</text></g>
<g class="state" data-state="open"><title>Between messages.</title><rect class="box" x="566" y="459.5" width="135" height="120" rx="10"/><path class="rule" d="M566 486.5h135"/><text class="name middle" x="633.5" y="479.5">open</text><text class="inside" data-event="socket.bytes" x="577" y="500.5">socket.bytes</text><text class="inside" data-event="read.continue" x="577" y="514.5">read.continue</text><text class="inside" data-event="callback.failed" x="577" y="528.5">callback.failed</text><text class="inside" data-event="connection.pause" x="577" y="542.5">connection.pause</text><text class="inside" data-event="connection.resume" x="577" y="556.5">connection.resume</text><text class="inside" data-event="timeout.silence" x="577" y="570.5">timeout.silence</text></g>
<g class="state" data-state="fragmenting"><title>Inside a fragmented message; control frames may come between its frames (RFC 6455 5.4).</title><rect class="box" x="762" y="664.5" width="135" height="120" rx="10"/><path class="rule" d="M762 691.5h135"/><text class="name middle" x="829.5" y="684.5">fragmenting</text><text class="inside" data-event="socket.bytes" x="773" y="705.5">socket.bytes</text><text class="inside" data-event="read.continue" x="773" y="719.5">read.continue</text><text class="inside" data-event="callback.failed" x="773" y="733.5">callback.failed</text><text class="inside" data-event="connection.pause" x="773" y="747.5">connection.pause</text><text class="inside" data-event="connection.resume" x="773" y="761.5">connection.resume</text><text class="inside" data-event="timeout.silence" x="773" y="775.5">timeout.silence</text></g>
<g class="state compound" data-state="closing"><title>The closing handshake, or what is left of it (RFC 6455 7).</title><rect class="box" x="495" y="926" width="496" height="434.5" rx="10"/><text class="name" x="546" y="947">closing</text></g>
<g class="state final" data-state="closed"><title>Everything is released; the report is out.</title><rect class="box" x="504" y="1496" width="82" height="34" rx="10"/><rect class="inner" x="508" y="1500" width="74" height="26" rx="6"/><text class="name middle" x="545" y="1518">closed</text></g>
<g class="state" data-state="handshaking.reading"><title>The request head is coming in (4.2.1).</title><rect class="box" x="486" y="96" width="102" height="50" rx="10"/><path class="rule" d="M486 123h102"/><text class="name middle" x="537" y="116">reading</text><text class="inside" data-event="socket.bytes" x="497" y="137">socket.bytes</text></g>
<g class="state" data-state="handshaking.authorizing"><title>The head is valid; \`authorize\` has not decided. A peer that hangs up aborts it.</title><rect class="box" x="289" y="204" width="115" height="50" rx="10"/><path class="rule" d="M289 231h115"/><text class="name middle" x="346.5" y="224">authorizing</text><text class="inside" data-event="socket.bytes" x="300" y="245">socket.bytes</text></g>
<g class="state" data-state="handshaking.rejecting"><title>An HTTP error is going out; what still comes in is discarded.</title><rect class="box" x="448" y="347" width="98" height="30" rx="10"/><text class="name middle" x="497" y="367">rejecting</text></g>
<g class="state compound" data-state="closing.local"><title>Our Close is out; we read on until theirs (7.1.2, 7.1.3).</title><rect class="box" x="552" y="994.5" width="384" height="251" rx="10"/><text class="name" x="563" y="1015.5">local</text></g>
<g class="state" data-state="closing.remote"><title>Both Close frames have passed; what still comes in is discarded (1.4, 5.5.1).</title><rect class="box" x="896" y="1317.5" width="82" height="30" rx="10"/><text class="name middle" x="937" y="1337.5">remote</text></g>
<g class="state" data-state="closing.failing"><title>We failed the connection; what still comes in is discarded (7.1.7).</title><rect class="box" x="508" y="1317.5" width="82" height="30" rx="10"/><text class="name middle" x="549" y="1337.5">failing</text></g>
<g class="state" data-state="closing.local.idle"><title>Between messages.</title><rect class="box" x="627" y="1116.5" width="82" height="30" rx="10"/><text class="name middle" x="668" y="1136.5">idle</text></g>
<g class="state" data-state="closing.local.fragmenting"><title>The rest of a fragmented message is read and delivered.</title><rect class="box" x="625" y="1202.5" width="115" height="30" rx="10"/><text class="name middle" x="682.5" y="1222.5">fragmenting</text></g>
<circle class="initial" cx="532" cy="9" r="5"/>
<circle class="initial" cx="537" cy="71" r="5"/>
<circle class="initial" cx="815" cy="963" r="5"/>
<g class="own" data-state="closing.local"><text class="inside" data-event="socket.bytes" x="810" y="1037.5">socket.bytes</text><text class="inside" data-event="read.continue" x="810" y="1051.5">read.continue</text><text class="inside" data-event="callback.failed" x="810" y="1065.5">callback.failed</text><text class="inside" data-event="connection.pause" x="810" y="1079.5">connection.pause</text><text class="inside" data-event="connection.resume" x="810" y="1093.5">connection.resume</text></g>
<circle class="initial" cx="654" cy="1091.5" r="5"/>
<path class="line start" d="M532 14L532 34" marker-end="url(#tip-connection)"/>
<path class="line start" d="M537 76L537 96" marker-end="url(#tip-connection)"/>
<path class="line start" d="M815 968L815 975Q815 979 811 979L811 979Q807 979 807 983L807 994.5" marker-end="url(#tip-connection)"/>
<path class="line start" d="M654 1096.5L654 1116.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking&gt;closed" data-events="socket.error socket.closed connection.terminate" d="M266 390L266 397.8Q266 405.5 258.3 405.5L154 405.5Q146 405.5 146 413.5L146 1477Q146 1485 154 1485L505.5 1485Q511 1485 511 1490.5L511 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.reading&gt;handshaking.authorizing" data-events="handshake.pending" d="M527 146L527 185Q527 193 519 193L352.5 193Q347 193 347 198.5L347 204" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.reading&gt;open" data-events="handshake.accepted" d="M568 146L568 397.5Q568 405.5 576 405.5L648 405.5Q656 405.5 656 413.5L656 459.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.reading&gt;handshaking.rejecting" data-events="handshake.refused timeout.handshake connection.close" d="M547 146L547 156.5Q547 157 547.5 157L547.5 157Q548 157 548 157.5L548 266Q548 274 540 274L521 274Q513 274 513 282L513 347" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.reading&gt;closed" data-events="socket.end" d="M506 146L506 151.5Q506 157 500.5 157L284 157Q276 157 276 165L276 406.5Q276 414.5 268 414.5L240 414.5Q232 414.5 232 422.5L232 1468Q232 1476 240 1476L511 1476Q519 1476 519 1484L519 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.authorizing&gt;open" data-events="handshake.accepted" d="M375 254L375 259.5Q375 265 380.5 265L550 265Q558 265 558 273L558 406.5Q558 414.5 566 414.5L603 414.5Q611 414.5 611 422.5L611 459.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.authorizing&gt;handshaking.rejecting" data-events="handshake.refused timeout.handshake connection.close" d="M347 254L347 266Q347 274 355 274L473 274Q481 274 481 282L481 347" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.authorizing&gt;closed" data-events="socket.end" d="M318 254L318 1459Q318 1467 326 1467L518 1467Q526 1467 526 1475L526 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="handshaking.rejecting&gt;closed" data-events="timeout.close" d="M497 377L497 397.5Q497 405.5 489 405.5L432 405.5Q424 405.5 424 413.5L424 787.5Q424 795.5 416 795.5L336 795.5Q328 795.5 328 803.5L328 1450Q328 1458 336 1458L526 1458Q534 1458 534 1466L534 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="open&gt;fragmenting" data-events="fragment.begin" d="M662 579.5L662 591.5Q662 599.5 670 599.5L728 599.5Q736 599.5 736 607.5L736 636.5Q736 644.5 744 644.5L844 644.5Q852 644.5 852 652.5L852 664.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="open&gt;closing.remote" data-events="close.received" d="M682 579.5L682 585Q682 590.5 687.5 590.5L950 590.5Q958 590.5 958 598.5L958 1317.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="open&gt;closing.failing" data-events="protocol.failed limit.breached callback.failed" d="M605 579.5L605 787.5Q605 795.5 597 795.5L537 795.5Q529 795.5 529 803.5L529 1317.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="open&gt;closing.local.idle" data-events="connection.close" d="M624 579.5L624 796.5Q624 804.5 632 804.5L656 804.5Q664 804.5 664 812.5L664 902.5Q664 910.5 672 910.5L674 910.5Q682 910.5 682 918.5L682 1116.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="open&gt;closed" data-events="connection.terminate timeout.pong timeout.write socket.end socket.error socket.closed" d="M585 579.5L585 585Q585 590.5 579.5 590.5L491 590.5Q483 590.5 483 598.5L483 910Q483 910.5 482.5 910.5L482.5 910.5Q482 910.5 482 911L482 1368Q482 1376 474 1376L448 1376Q440 1376 440 1384L440 1441Q440 1449 448 1449L533 1449Q541 1449 541 1457L541 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="fragmenting&gt;open" data-events="fragment.end" d="M807 664.5L807 659Q807 653.5 801.5 653.5L734 653.5Q726 653.5 726 645.5L726 616.5Q726 608.5 718 608.5L651 608.5Q643 608.5 643 600.5L643 579.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="fragmenting&gt;closing.remote" data-events="close.received" d="M843 784.5L843 902.5Q843 910.5 851 910.5L940 910.5Q948 910.5 948 918.5L948 1301Q948 1306.5 942.5 1306.5L942.5 1306.5Q937 1306.5 937 1312L937 1317.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="fragmenting&gt;closing.failing" data-events="protocol.failed limit.breached callback.failed timeout.message" d="M789 784.5L789 790Q789 795.5 783.5 795.5L659 795.5Q651 795.5 651 803.5L651 902.5Q651 910.5 643 910.5L547 910.5Q539 910.5 539 918.5L539 1301.5Q539 1306.5 544 1306.5L544 1306.5Q549 1306.5 549 1311.5L549 1317.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="fragmenting&gt;closing.local.fragmenting" data-events="connection.close" d="M816 784.5L816 790Q816 795.5 810.5 795.5L805 795.5Q797 795.5 797 803.5L797 1183.5Q797 1191.5 789 1191.5L716.5 1191.5Q711 1191.5 711 1197L711 1202.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="fragmenting&gt;closed" data-events="connection.terminate timeout.pong timeout.write socket.end socket.error socket.closed" d="M870 784.5L870 790Q870 795.5 875.5 795.5L1005 795.5Q1013 795.5 1013 803.5L1013 1468Q1013 1476 1005 1476L587 1476Q579 1476 579 1484L579 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing&gt;closed" data-events="connection.terminate socket.error socket.closed" d="M682 1360.5L682 1377Q682 1385 690 1385L693 1385Q701 1385 701 1393L701 1441Q701 1449 693 1449L564 1449Q556 1449 556 1457L556 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.local&gt;closing.remote" data-events="close.received" d="M702 1245.5L702 1251Q702 1256.5 707.5 1256.5L909 1256.5Q917 1256.5 917 1264.5L917 1317.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.local&gt;closing.failing" data-events="protocol.failed limit.breached" d="M682 1245.5L682 1251Q682 1256.5 676.5 1256.5L669 1256.5Q661 1256.5 661 1264.5L661 1298.5Q661 1306.5 653 1306.5L575.5 1306.5Q570 1306.5 570 1312L570 1317.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.local&gt;closed" data-events="timeout.close socket.end" d="M692 1245.5L692 1368Q692 1376 700 1376L799 1376Q807 1376 807 1384L807 1450Q807 1458 799 1458L572 1458Q564 1458 564 1466L564 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.local.idle&gt;closing.local.fragmenting" data-events="fragment.begin" d="M682 1146.5L682 1191Q682 1191.5 682.5 1191.5L682.5 1191.5Q683 1191.5 683 1192L683 1202.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.local.fragmenting&gt;closing.local.idle" data-events="fragment.end" d="M654 1202.5L654 1146.5" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.remote&gt;closed" data-events="timeout.close" d="M937 1347.5L937 1459Q937 1467 929 1467L579 1467Q571 1467 571 1475L571 1496" marker-end="url(#tip-connection)"/>
<path class="line" data-arrow="closing.failing&gt;closed" data-events="timeout.close" d="M549 1347.5L549 1496" marker-end="url(#tip-connection)"/>
<g class="label" data-arrow="handshaking&gt;closed"><text class="event" data-event="socket.error" x="73.5" y="714.5">socket.error</text><text class="event" data-event="socket.closed" x="73.5" y="728.5">socket.closed</text><text class="event" data-event="connection.terminate" x="73.5" y="742.5">connection.terminate</text></g>
<g class="label" data-arrow="handshaking.reading&gt;handshaking.authorizing"><text class="event" data-event="handshake.pending" x="464.5" y="179">handshake.pending</text></g>
<g class="label" data-arrow="handshaking.reading&gt;open"><text class="event" data-event="handshake.accepted" x="723" y="436.5">handshake.accepted</text></g>
<g class="label" data-arrow="handshaking.reading&gt;handshaking.rejecting"><text class="event" data-event="handshake.refused" x="485.5" y="219">handshake.refused</text><text class="event" data-event="timeout.handshake" x="485.5" y="233">timeout.handshake</text><text class="event" data-event="connection.close" x="485.5" y="247">connection.close</text></g>
<g class="label" data-arrow="handshaking.reading&gt;closed"><text class="event" data-event="socket.end" x="192.5" y="728.5">socket.end</text></g>
<g class="label" data-arrow="handshaking.authorizing&gt;open"><text class="event" data-event="handshake.accepted" x="545" y="436.5">handshake.accepted</text></g>
<g class="label" data-arrow="handshaking.authorizing&gt;handshaking.rejecting"><text class="event" data-event="handshake.refused" x="418.5" y="296">handshake.refused</text><text class="event" data-event="timeout.handshake" x="418.5" y="310">timeout.handshake</text><text class="event" data-event="connection.close" x="418.5" y="324">connection.close</text></g>
<g class="label" data-arrow="handshaking.authorizing&gt;closed"><text class="event" data-event="socket.end" x="278.5" y="728.5">socket.end</text></g>
<g class="label" data-arrow="handshaking.rejecting&gt;closed"><text class="event" data-event="timeout.close" x="374.5" y="728.5">timeout.close</text></g>
<g class="label" data-arrow="open&gt;fragmenting"><text class="event" data-event="fragment.begin" x="789.5" y="630.5">fragment.begin</text></g>
<g class="label" data-arrow="open&gt;closing.remote"><text class="event" data-event="close.received" x="1011.5" y="728.5">close.received</text></g>
<g class="label" data-arrow="open&gt;closing.failing"><text class="event" data-event="protocol.failed" x="549" y="714.5">protocol.failed</text><text class="event" data-event="limit.breached" x="549" y="728.5">limit.breached</text><text class="event" data-event="callback.failed" x="549" y="742.5">callback.failed</text></g>
<g class="label" data-arrow="open&gt;closing.local.idle"><text class="event" data-event="connection.close" x="684" y="728.5">connection.close</text></g>
<g class="label" data-arrow="open&gt;closed"><text class="event" data-event="connection.terminate" x="410.5" y="826.5">connection.terminate</text><text class="event" data-event="timeout.pong" x="410.5" y="840.5">timeout.pong</text><text class="event" data-event="timeout.write" x="410.5" y="854.5">timeout.write</text><text class="event" data-event="socket.end" x="410.5" y="868.5">socket.end</text><text class="event" data-event="socket.error" x="410.5" y="882.5">socket.error</text><text class="event" data-event="socket.closed" x="410.5" y="896.5">socket.closed</text></g>
<g class="label" data-arrow="fragmenting&gt;open"><text class="event" data-event="fragment.end" x="680" y="630.5">fragment.end</text></g>
<g class="label" data-arrow="fragmenting&gt;closing.remote"><text class="event" data-event="close.received" x="896.5" y="861.5">close.received</text></g>
<g class="label" data-arrow="fragmenting&gt;closing.failing"><text class="event" data-event="protocol.failed" x="595" y="840.5">protocol.failed</text><text class="event" data-event="limit.breached" x="595" y="854.5">limit.breached</text><text class="event" data-event="callback.failed" x="595" y="868.5">callback.failed</text><text class="event" data-event="timeout.message" x="595" y="882.5">timeout.message</text></g>
<g class="label" data-arrow="fragmenting&gt;closing.local.fragmenting"><text class="event" data-event="connection.close" x="738" y="861.5">connection.close</text></g>
<g class="label" data-arrow="fragmenting&gt;closed"><text class="event" data-event="connection.terminate" x="1086.5" y="1112.3">connection.terminate</text><text class="event" data-event="timeout.pong" x="1086.5" y="1126.3">timeout.pong</text><text class="event" data-event="timeout.write" x="1086.5" y="1140.3">timeout.write</text><text class="event" data-event="socket.end" x="1086.5" y="1154.3">socket.end</text><text class="event" data-event="socket.error" x="1086.5" y="1168.3">socket.error</text><text class="event" data-event="socket.closed" x="1086.5" y="1182.3">socket.closed</text></g>
<g class="label" data-arrow="closing&gt;closed"><text class="event" data-event="connection.terminate" x="628.5" y="1407">connection.terminate</text><text class="event" data-event="socket.error" x="628.5" y="1421">socket.error</text><text class="event" data-event="socket.closed" x="628.5" y="1435">socket.closed</text></g>
<g class="label" data-arrow="closing.local&gt;closing.remote"><text class="event" data-event="close.received" x="864.5" y="1285.5">close.received</text></g>
<g class="label" data-arrow="closing.local&gt;closing.failing"><text class="event" data-event="protocol.failed" x="605" y="1278.5">protocol.failed</text><text class="event" data-event="limit.breached" x="605" y="1292.5">limit.breached</text></g>
<g class="label" data-arrow="closing.local&gt;closed"><text class="event" data-event="timeout.close" x="757.5" y="1414">timeout.close</text><text class="event" data-event="socket.end" x="757.5" y="1428">socket.end</text></g>
<g class="label" data-arrow="closing.local.idle&gt;closing.local.fragmenting"><text class="event" data-event="fragment.begin" x="735.5" y="1177.5">fragment.begin</text></g>
<g class="label" data-arrow="closing.local.fragmenting&gt;closing.local.idle"><text class="event" data-event="fragment.end" x="608" y="1177.5">fragment.end</text></g>
<g class="label" data-arrow="closing.remote&gt;closed"><text class="event" data-event="timeout.close" x="887.5" y="1421">timeout.close</text></g>
<g class="label" data-arrow="closing.failing&gt;closed"><text class="event" data-event="timeout.close" x="499.5" y="1421">timeout.close</text></g>
</svg></div>
        <div class="sheet" id="chart-server" role="tabpanel" aria-labelledby="tab-server" tabindex="0" hidden><svg xmlns="http://www.w3.org/2000/svg" class="statechart" viewBox="0 0 835 685" width="835" height="685" role="img" aria-label="server: One server: a listening port and the connections that came through it.">
<title>server: One server: a listening port and the connections that came through it.</title>
<defs><marker id="tip-server" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 .8 7.4 4 0 7.2z"/></marker></defs>
<g class="state" data-state="stopped"><title>No port is open and no connection lives.</title><rect class="box" x="552" y="34" width="95" height="50" rx="10"/><path class="rule" d="M552 61h95"/><text class="name middle" x="599.5" y="54">stopped</text><text class="inside" data-event="server.stop" x="563" y="75">server.stop</text></g><path class="line start" d="M572 12V33" marker-end="url(#tip-server)"/><circle class="initial" cx="572" cy="8" r="5"/>
<g class="state" data-state="starting"><title>The port is being opened.</title><rect class="box" x="325" y="149" width="90" height="30" rx="10"/><text class="name middle" x="370" y="169">starting</text></g>
<g class="state" data-state="listening"><title>Connections can come.</title><rect class="box" x="330" y="246" width="98" height="30" rx="10"/><text class="name middle" x="379" y="266">listening</text></g>
<g class="state compound" data-state="draining"><title>The server is being stopped.</title><rect class="box" x="273" y="347.5" width="320" height="309" rx="10"/><text class="name" x="284" y="368.5">draining</text></g>
<g class="state" data-state="failed"><title>The port could not be opened or was lost; \`error\` says why.</title><rect class="box" x="169" y="347.5" width="82" height="30" rx="10"/><text class="name middle" x="210" y="367.5">failed</text></g>
<g class="state" data-state="draining.leaving"><title>Connections are closing and handlers finish. The port is open: newcomers get a 503.</title><rect class="box" x="473" y="427.5" width="82" height="30" rx="10"/><text class="name middle" x="514" y="447.5">leaving</text></g>
<g class="state" data-state="draining.releasing"><title>The port is being closed.</title><rect class="box" x="481" y="527.5" width="98" height="30" rx="10"/><text class="name middle" x="530" y="547.5">releasing</text></g>
<g class="state" data-state="draining.dismissing"><title>The port is closed. Handshakes that came during the stop are refused and ended.</title><rect class="box" x="461" y="613.5" width="106" height="30" rx="10"/><text class="name middle" x="514" y="633.5">dismissing</text></g>
<g class="own" data-state="draining"><text class="inside" data-event="server.start" x="407" y="390.5">server.start</text><text class="inside" data-event="server.stop" x="407" y="404.5">server.stop</text></g>
<circle class="initial" cx="514" cy="402.5" r="5"/>
<path class="line start" d="M514 407.5L514 427.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="stopped&gt;starting" data-events="server.start" d="M590 84L590 96Q590 104 582 104L378 104Q370 104 370 112L370 149" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="starting&gt;listening" data-events="listener.ready" d="M379 179L379 246" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="starting&gt;failed" data-events="listener.failed" d="M343 179L343 184.5Q343 190 337.5 190L216 190Q208 190 208 198L208 320Q208 323 205 323L205 323Q202 323 202 326L202 347.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="starting&gt;draining.releasing" data-events="server.stop" d="M397 179L397 227Q397 235 405 235L524 235Q532 235 532 243L532 315Q532 323 540 323L559 323Q567 323 567 331L567 508.5Q567 516.5 559 516.5L551.5 516.5Q546 516.5 546 522L546 527.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="listening&gt;failed" data-events="listener.failed" d="M363 276L363 315Q363 323 355 323L243 323Q235 323 235 331L235 347.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="listening&gt;draining" data-events="server.stop" d="M395 276L395 281.5Q395 287 400.5 287L511 287Q519 287 519 295L519 324Q519 332 527 332L549.3 332Q557 332 557 339.8L557 347.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="draining.leaving&gt;draining.releasing" data-events="drain.progress timeout.drain" d="M514 457.5L514 527.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="draining.releasing&gt;stopped" data-events="listener.closed" d="M546 557.5L546 563Q546 568.5 551.5 568.5L571 568.5Q579 568.5 579 576.5L579 664Q579 672 587 672L610 672Q618 672 618 664L618 99.5Q618 95 613.5 95L613.5 95Q609 95 609 90.5L609 84" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="draining.releasing&gt;draining.dismissing" data-events="listener.closed" d="M514 557.5L514 613.5" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="draining.dismissing&gt;stopped" data-events="drain.progress" d="M514 643.5L514 673Q514 681 522 681L620 681Q628 681 628 673L628 84" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="failed&gt;starting" data-events="server.start" d="M218 347.5L218 207Q218 199 226 199L353 199Q361 199 361 191L361 179" marker-end="url(#tip-server)"/>
<path class="line" data-arrow="failed&gt;stopped" data-events="server.stop" d="M185 347.5L185 331Q185 323 177 323L94 323Q86 323 86 315L86 103Q86 95 94 95L565.5 95Q571 95 571 89.5L571 84" marker-end="url(#tip-server)"/>
<g class="label" data-arrow="stopped&gt;starting"><text class="event" data-event="server.start" x="324" y="126">server.start</text></g>
<g class="label" data-arrow="starting&gt;listening"><text class="event" data-event="listener.ready" x="326.5" y="221">listener.ready</text></g>
<g class="label" data-arrow="starting&gt;failed"><text class="event" data-event="listener.failed" x="152" y="265">listener.failed</text></g>
<g class="label" data-arrow="starting&gt;draining.releasing"><text class="event" data-event="server.stop" x="489.5" y="265">server.stop</text></g>
<g class="label" data-arrow="listening&gt;failed"><text class="event" data-event="listener.failed" x="307" y="309">listener.failed</text></g>
<g class="label" data-arrow="listening&gt;draining"><text class="event" data-event="server.stop" x="476.5" y="309">server.stop</text></g>
<g class="label" data-arrow="draining.leaving&gt;draining.releasing"><text class="event" data-event="drain.progress" x="398.5" y="488.5">drain.progress [nothingToWaitFor]</text><text class="event" data-event="timeout.drain" x="398.5" y="502.5">timeout.drain</text></g>
<g class="label" data-arrow="draining.releasing&gt;stopped"><text class="event" data-event="listener.closed" x="512.5" y="221">listener.closed [nobodyIsLeft]</text></g>
<g class="label" data-arrow="draining.releasing&gt;draining.dismissing"><text class="event" data-event="listener.closed" x="458" y="590.5">listener.closed</text></g>
<g class="label" data-arrow="draining.dismissing&gt;stopped"><text class="event" data-event="drain.progress" x="731.5" y="221">drain.progress [nobodyIsLeft]</text></g>
<g class="label" data-arrow="failed&gt;starting"><text class="event" data-event="server.start" x="265" y="265">server.start</text></g>
<g class="label" data-arrow="failed&gt;stopped"><text class="event" data-event="server.stop" x="43.5" y="221">server.stop</text></g>
</svg></div>
      </section>

      <section id="chosen" class="card" aria-labelledby="chosen-title">
        <div class="bar">
          <h2 id="chosen-title">No connection chosen</h2>
          <span id="chosen-state" class="pill" hidden></span>
        </div>
        <p id="chosen-where" class="mono"></p>
        <p class="nothing" id="hint">Choose one in the list: its state lights up in the chart, and its events appear here.</p>
        <dl id="counters" hidden>
          <div><dt>Messages in</dt><dd data-counter="messagesIn"></dd></div>
          <div><dt>Messages out</dt><dd data-counter="messagesOut"></dd></div>
          <div><dt>Bytes in</dt><dd data-counter="bytesIn"></dd></div>
          <div><dt>Bytes out</dt><dd data-counter="bytesOut"></dd></div>
          <div><dt>Buffered</dt><dd data-counter="buffered"></dd></div>
          <div><dt>Age</dt><dd data-counter="age"></dd></div>
          <div><dt>Round trip</dt><dd data-counter="rtt"></dd></div>
        </dl>
        <form id="close" hidden aria-label="Close this connection">
          <label>Code <input name="code" type="number" min="1000" max="4999" value="1000" required></label>
          <label>Reason <input name="reason" placeholder="none" autocomplete="off" spellcheck="false"></label>
          <button type="submit">Close</button>
        </form>
        <p id="problem" role="alert"></p>
        <ol id="log" class="mono" role="log" aria-label="Events" tabindex="0" hidden></ol>
      </section>
    </main>
    <script type="module">// The live page: takes samples from the feed and shows them. It keeps nothing but what it shows.

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
  const url = new URL(\`live\${location.search}\`, location.href);
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
  const group = byId('chart-connection').querySelector(\`.state[data-state="\${state}"]\`);
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
  list.style.height = \`\${total * ROW_PX}px\`;
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
  item.style.top = \`\${index * ROW_PX}px\`;
  const [dot, idPlace, pathPlace, traffic] = item.firstChild.children;
  dot.className = \`dot \${state}\`;
  item.firstChild.title = \`connection \${id}, \${state}, from \${remoteAddress}\`;
  item.firstChild.setAttribute('aria-label', \`connection \${id} on \${path || 'no path yet'}, \${state}\`);
  setText(idPlace, \`#\${id}\`);
  setText(pathPlace, path || remoteAddress);
  setText(traffic, \`\${number.format(messagesIn)} in · \${number.format(messagesOut)} out\`);
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
  setText(byId('chosen-title'), isServer ? 'Server' : \`Connection \${id}\`);
  setText(byId('chosen-where'), isServer ? '' : [path, remoteAddress].filter(Boolean).join('  ·  '));
  if (report) {
    const how = report.wasClean ? 'clean' : 'not clean';
    const reason = report.reason === '' ? '' : \`  ·  \${report.reason}\`;
    setText(
      byId('chosen-where'),
      \`\${path}  ·  closed with \${report.code} by the \${report.initiator}, \${how}\${reason}\`,
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
  if (name === 'rtt') return value === undefined ? '–' : \`\${value.toFixed(1)} ms\`;
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
  if (skipped > 0) log.append(note(\`\${number.format(skipped)} events are not shown\`));
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
  const name = opcode === undefined ? event : \`\${event} · \${opcode}\`;
  row.append(time, cell('span', from === to ? 'inplace' : '', name));
  row.append(cell('span', 'bytes', bytes === undefined ? '' : \`\${number.format(bytes)} B\`));
  if (from !== to) row.append(cell('span', 'change', \`\${from} → \${to}\`));
  return row;
}

function cell(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// ---------------------------------------------------------------- the chart

const chart = () => byId(\`chart-\${machine}\`);

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
    setText(byId('last'), \`\${change.from} → \${change.to}  ·  \${change.event}\`);
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
    const label = \`g[data-arrow="\${arrow.dataset.arrow}"] [data-event="\${event}"]\`;
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
    .map((state) => chart().querySelector(\`[data-state="\${state}"] > .inside[data-event="\${event}"]\`))
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
  const box = sheet.querySelector(\`.state[data-state="\${state}"] > .box\`)?.getBoundingClientRect();
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
  byId('machine').style.setProperty('--zoom', \`\${ZOOMS[zoom]}%\`);
}
byId('smaller').onclick = () => rescale(-1);
byId('larger').onclick = () => rescale(1);

// ---------------------------------------------------------------- words

function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function size(bytes) {
  if (bytes < 10_000) return \`\${number.format(bytes)} B\`;
  if (bytes < 1024 * 1024) return \`\${(bytes / 1024).toFixed(1)} KiB\`;
  if (bytes < 1024 ** 3) return \`\${(bytes / 1024 ** 2).toFixed(1)} MiB\`;
  return \`\${(bytes / 1024 ** 3).toFixed(2)} GiB\`;
}

function duration(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return \`\${(ms / 1000).toFixed(1)} s\`;
  if (s < 3600) return \`\${Math.floor(s / 60)} min \${s % 60} s\`;
  return \`\${Math.floor(s / 3600)} h \${Math.floor((s % 3600) / 60)} min\`;
}

connect();
</script>
  </body>
</html>
`;

/** The Content-Security-Policy under which it runs: its own style and script, and the feed. */
export const PAGE_POLICY: string = `default-src 'none'; style-src 'sha256-mrTROl3Uyb2JyrRwnyvkN0+cR6DaXHzbxqFYV7QC7IM='; script-src 'sha256-MvRmZYjrjr9BzQBGesjgEBigzV7K0nMFFcCmCoDWqnQ='; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
