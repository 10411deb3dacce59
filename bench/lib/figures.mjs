// Medians and how figures are written.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three significant digits: 1.23 M, 123 k, 12,300 -> 12.3 k, 0.311. */
export function figure(value) {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (Math.abs(value) >= 1000) return `${(value / 1e3).toPrecision(3)} k`;
  return Math.abs(value) < 0.001 ? '0' : String(Number(value.toPrecision(3)));
}

export const percent = (share) => `${Math.round(share * 100)} %`;

/** Rows of cells as aligned text; the first column to the left, the others to the right. */
export function alignedTable(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((cells) => cells[i].length)));
  return lines
    .map((cells) =>
      cells.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '),
    )
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}
