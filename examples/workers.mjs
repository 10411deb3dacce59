// Runs workers-room.mjs as four processes on one port. SIGUSR2 restarts them one by one; SIGTERM and Ctrl-C end them all.
import { startWorkers } from 'portal-ws/workers';

const { WORKERS = 4 } = process.env;

try {
  const workers = await startWorkers(new URL('workers-room.mjs', import.meta.url), {
    count: Number(WORKERS),
  });
  console.log(`${workers.pids.length} workers: ${workers.pids.join(', ')}`);
  await workers.ended;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
