/**
 * Real milliseconds that a test waits for something that should come at once. It guards against a hang and is never
 * part of what a test shows, so it is long enough for a machine that is ten times slower than an idle one.
 */
export const PATIENCE_MS = 30_000;
