// What every server here shares: it says where it listens, collects garbage when asked (for the memory row), and ends on SIGTERM.

/** The most bytes that any server here may take as one message, and queue to one peer. */
export const roomBytes = 16 * 1024 * 1024;

export function ready(port, version) {
  process.on('SIGUSR2', () => (globalThis.Bun ? globalThis.Bun.gc(true) : globalThis.gc?.()));
  process.on('SIGTERM', () => process.exit(0));
  console.log(JSON.stringify({ port, version }));
}
