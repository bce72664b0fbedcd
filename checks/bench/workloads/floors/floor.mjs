// A floor: sends and drains in loops that do nothing but call. One process, one wire, one workload, one JSON line.

import { versions } from 'node:process';
import { DrainMeter, Meter, report, taskOfProcess } from '../measuring.mjs';
import { ackEntryOf, messageOf } from './received.mjs';
import * as requests from './requests.mjs';

const { PATHS } = requests;
/** Polls side by side: while one waits for its answer, others are under way. */
const RECEIVERS = 4;

const task = taskOfProcess();
const wire = task.options.wire === 'http2' ? await import('./http2-wire.mjs') : await import('./grpc-js-wire.mjs');
const clientId = `bench@${process.pid}@0@${Date.now().toString(36)}`;
const calls = await wire.open(task.endpoints, requests.metadataOf(clientId));
const figures = await (task.workload === 'send' ? send() : drain());
report({ ...figures, version: wire.name === 'http2' ? `Node.js ${versions.node}` : await grpcVersion() });
process.exit(0);

/** Every answer starts the next request. */
async function send() {
  const perRequest = task.options.perRequest ?? 1;
  const body = Buffer.alloc(task.bodyBytes, 'x');
  const request = wire.prepare(requests.sendRequest({ topic: task.topic, body, perRequest }));
  await sends(request, task.warmUp / perRequest, undefined);
  const meter = new Meter();
  await sends(request, task.count / perRequest, meter);
  return meter.figures(Math.round(task.count / perRequest) * perRequest);
}

/** @param {Buffer} request @param {number} count @param {Meter} [meter] */
function sends(request, count, meter) {
  return new Promise((resolve) => {
    let left = Math.round(count);
    let pending = 0;
    const next = () => {
      if (left-- <= 0) {
        if (pending === 0) resolve(undefined);
        return;
      }
      pending++;
      const began = performance.now();
      calls.unary(PATHS.send, request, (response) => {
        requests.assertOk(response);
        meter?.latency(performance.now() - began);
        pending--;
        next();
      });
    };
    for (let started = 0; started < task.inFlight; started++) next();
  });
}

/** Each poll is acked by one request, and the next poll begins beside it. @returns {Promise<object>} */
async function drain() {
  const queue = await assignedQueue();
  const request = wire.prepare(requests.receiveRequest({ group: task.group, queue }));
  const head = requests.ackHead(task);
  const meter = new DrainMeter(task);
  const receive = () => {
    /** @type {Buffer[]} */
    const entries = [];
    const onMessage = (/** @type {Buffer} */ response) => {
      const message = messageOf(response);
      if (message !== null) entries.push(ackEntryOf(message));
    };
    calls.serverStream(PATHS.receive, request, onMessage, () => {
      receive();
      if (entries.length === 0) return;
      calls.unary(PATHS.ack, wire.prepare(requests.ackRequest(head, entries)), (response) => {
        requests.assertOk(response);
        meter.add(entries.length);
      });
    });
  };
  for (let started = 0; started < RECEIVERS; started++) receive();
  return meter.figures;
}

/** The server answers no poll before it knows the consumer's settings. */
async function assignedQueue() {
  await new Promise((resolve) => calls.duplex(PATHS.telemetry, wire.prepare(requests.consumerSettings(task)), resolve));
  /** @type {Promise<Buffer>} */
  const queue = new Promise((resolve) => {
    calls.unary(PATHS.assignment, wire.prepare(requests.assignmentRequest(task)), (response) => {
      requests.assertOk(response);
      resolve(requests.firstQueue(response));
    });
  });
  return queue;
}

async function grpcVersion() {
  const { createRequire } = await import('node:module');
  return createRequire(import.meta.url)('@grpc/grpc-js/package.json').version;
}
