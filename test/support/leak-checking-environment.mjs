// Jest's Node environment, which also fails a test file that leaves a socket, a timer or a child process open, or accumulates event
// listeners on an emitter.

import { TestEnvironment } from 'jest-environment-node';

/** Node's names of the handles that a suite must close. Files and the workers' own pipes are excluded. */
const WATCHED = new Set(['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'ProcessWrap', 'Timeout', 'FSEventWrap']);

/** A closed socket is removed from the list some turns after `close`; this is the maximum wait. */
const GRACE_MS = 2_000;
const STEP_MS = 20;

function countHandles() {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo()) {
    if (WATCHED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** @param {ReadonlyMap<string, number>} before */
function leaksSince(before) {
  return [...countHandles()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
}

/** A case learns only while it runs that it does not apply to the server: it then throws `NotHere`. @param {import('@jest/types').Circus.TestEntry} test */
function skipIfNotHere(test) {
  const isNotHere = test.errors.length === 1 && test.errors.flat().some((error) => error?.name === 'NotHere');
  if (!isNotHere) return;
  test.errors = [];
  test.status = 'skip';
}

const pause = (/** @type {number} */ durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs));

export default class LeakCheckingEnvironment extends TestEnvironment {
  /** The process that test code sees is a copy, which gets no warnings. */
  crowds = /** @type {Error[]} */ ([]);
  before = /** @type {ReadonlyMap<string, number>} */ (new Map());
  onWarning = (/** @type {Error} */ warning) => {
    if (warning.name === 'MaxListenersExceededWarning') this.crowds.push(warning);
  };

  /** @param {import('@jest/types').Circus.Event} event @param {import('@jest/types').Circus.State} state */
  async handleTestEvent(event, state) {
    if (event.name === 'run_start') {
      this.before = countHandles();
      process.on('warning', this.onWarning);
    }
    if (event.name === 'test_done') skipIfNotHere(event.test);
    if (event.name !== 'run_finish') return;
    process.off('warning', this.onWarning);
    state.unhandledErrors.push(...this.crowds);
    let leaks = leaksSince(this.before);
    for (let waitedMs = 0; leaks.length > 0 && waitedMs < GRACE_MS; waitedMs += STEP_MS) {
      await pause(STEP_MS);
      leaks = leaksSince(this.before);
    }
    if (leaks.length > 0) {
      const list = leaks.map(([kind, count]) => `${kind} ${this.before.get(kind) ?? 0} -> ${count}`).join(', ');
      state.unhandledErrors.push(new Error(`this suite left open handles behind: ${list}`));
    }
  }
}
