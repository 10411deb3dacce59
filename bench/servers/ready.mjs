// What every server here shares: it says where it listens, collects garbage when asked (for the memory row), and ends on SIGTERM.

/** The most bytes that any server here may take as one message, and queue to one peer. */
export const roomBytes = 16 * 1024 * 1024;

/** How messages are compressed, in the words of the server's own options; false: not at all. */
export const deflate = process.env.BENCH_DEFLATE ?? false;

/**
 * A program of ordinary size keeps some objects. With a heap of a few MB, V8 is at its smallest limits: there it is chance, a
 * MB more or less of code, whether each 32 MB of large messages cost a collection of the whole heap or nothing, and echoes of
 * 64 KiB and 1 MiB were up to twice as slow or as fast for no reason of the server's.
 */
globalThis.kept = Array.from({ length: 100_000 }, (_, index) => ({ index, more: {} }));

export function ready(port, version) {
  process.on('SIGUSR2', () => (globalThis.Bun ? globalThis.Bun.gc(true) : globalThis.gc?.()));
  process.on('SIGTERM', () => process.exit(0));
  console.log(JSON.stringify({ port, version }));
}
