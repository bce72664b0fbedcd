// The socket floor: what is left when a client does nothing but write requests made beforehand to a socket, and count the answers. One
// process, one protocol, one workload, one JSON line.

import { versions } from 'node:process';
import { DrainMeter, Meter, report, taskOfProcess } from '../measuring.mjs';

const NAME_SERVER = 'name-server:';

const task = taskOfProcess();
const isByNameServer = task.endpoints.startsWith(NAME_SERVER);
const wire = isByNameServer ? await import('./remoting-frames.mjs') : await import('./grpc-frames.mjs');
const addressed = { ...task, endpoints: isByNameServer ? task.endpoints.slice(NAME_SERVER.length) : task.endpoints };
const figures = await (task.workload === 'send' ? send() : drain());
report({ ...figures, version: `Node.js ${versions.node}` });
process.exit(0);

/** What one read answers is sent anew by one write. @returns {Promise<object>} */
async function send() {
  let answered = (/** @type {number} */ _number) => {};
  let wasRead = () => {};
  const write = await wire.openSender(
    addressed,
    (number) => answered(number),
    () => wasRead(),
  );
  let first = 0;
  const sends = (/** @type {number} */ count, /** @type {Meter | undefined} */ meter) =>
    new Promise((resolve) => {
      const beganMs = new Float64Array(count);
      let started = 0;
      let ended = 0;
      const fill = () => {
        const many = Math.min(task.inFlight - (started - ended), count - started);
        if (many === 0) return;
        beganMs.fill(performance.now(), started, started + many);
        started += many;
        write(many);
      };
      answered = (number) => {
        ended++;
        meter?.latency(performance.now() - Number(beganMs[number - first]));
      };
      wasRead = () => {
        if (ended < count) return fill();
        first += count;
        wasRead = () => {};
        resolve(undefined);
      };
      fill();
    });
  await sends(task.warmUp, undefined);
  const meter = new Meter();
  await sends(task.count, meter);
  return meter.figures(task.count);
}

async function drain() {
  const meter = new DrainMeter(task);
  await wire.openDrain(addressed, (count) => meter.add(count));
  return meter.figures;
}
