// A chart in Mermaid's language, for where Markdown is drawn. What a state answers in place is a note beside it.

const idOf = (state) => state.path.replaceAll('.', '_');

export function drawMermaid(chart) {
  const lines = ['stateDiagram-v2', '  direction TB'];
  const write = (state, indent) => {
    if (state.initial !== undefined) {
      const first = [state.path, state.initial].filter(Boolean).join('.');
      lines.push(`${indent}[*] --> ${idOf(chart.states.get(first))}`);
    }
    for (const child of state.children) {
      const open = child.children.length > 0;
      lines.push(`${indent}state "${child.name}" as ${idOf(child)}${open ? ' {' : ''}`);
      if (!open) continue;
      write(child, `${indent}  `);
      lines.push(`${indent}}`);
    }
  };
  write(chart.root, '  ');
  for (const { from, to, events } of chart.arrows) {
    const label = events
      .map(({ event, guard }) => (guard === undefined ? event : `${event} [${guard}]`))
      .join(', ');
    lines.push(`  ${idOf(from)} --> ${idOf(to)} : ${label}`);
  }
  for (const state of chart.states.values()) {
    if (state.final) lines.push(`  ${idOf(state)} --> [*]`);
  }
  return `${lines.join('\n')}\n`;
}
