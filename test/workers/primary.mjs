// Starts workers as the test says that runs this program, and does what it asks for.
import { startWorkers } from 'portal-ws/workers';

const [file, options] = process.argv.slice(2);
const asked = {
  pids: (workers) => workers.pids,
  restart: (workers) => workers.restart(),
  stop: (workers) => workers.stop(),
  fail: () =>
    queueMicrotask(() => {
      throw new Error('a defect of the primary');
    }),
};

try {
  const workers = await startWorkers(file, JSON.parse(options));
  process.send({ pids: workers.pids });
  process.on('message', (what) => {
    Promise.resolve(asked[what](workers)).then(
      (value) => process.send({ did: what, value }),
      ({ message }) => process.send({ did: what, failed: message }),
    );
  });
  await workers.ended;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
// What was asked for last is answered first.
setImmediate(() => process.disconnect());
