// Maps the paths of the control port to their handlers.

import type { ControlContext } from './control-context.js';
import type { Fields } from './control-input.js';
import { EXPOSITION_TYPE } from './exposition.js';
import { InterventionRequests } from './intervention-requests.js';
import { metricsText } from './metrics.js';
import { StateRequests } from './state-requests.js';
import { TimeRequests } from './time-requests.js';

/** The answer to a request: JSON, or text of another type. */
export interface Answer {
  readonly status?: number;
  readonly json?: object;
  readonly text?: { readonly type: string; readonly body: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** `read` is requested with GET, `change` with POST. */
export interface Route {
  readonly kind: 'read' | 'change';
  answer(fields: Fields): Promise<Answer>;
}

export type Routes = ReadonlyMap<string, readonly Route[]>;

export function controlRoutes(broker: ControlContext): Routes {
  const state = new StateRequests(broker);
  const changes = new InterventionRequests(broker);
  const time = new TimeRequests(broker);
  return new Map<string, readonly Route[]>([
    ['/state', [read((fields) => noFields(fields, () => state.state()))]],
    ['/topics', [read((fields) => state.topics(fields))]],
    ['/groups', [read((fields) => state.groups(fields))]],
    ['/lag', [read((fields) => state.lag(fields))]],
    ['/in-flight', [read((fields) => state.inFlight(fields))]],
    ['/delayed', [read((fields) => state.delayed(fields))]],
    ['/half-messages', [read((fields) => state.halfMessages(fields))]],
    ['/clients', [read((fields) => state.clients(fields))]],
    ['/messages', [read((fields) => state.messages(fields))]],
    ['/metrics', [metrics(broker)]],
    ['/deliver-now', [change((fields) => changes.deliverNow(fields))]],
    ['/deliver-again', [change((fields) => changes.deliverAgain(fields))]],
    [
      '/faults',
      [read((fields) => noFields(fields, () => changes.listFaults())), change((fields) => changes.addFault(fields))],
    ],
    ['/faults/clear', [change((fields) => changes.clearFaults(fields))]],
    ['/time', [read((fields) => noFields(fields, () => time.time()))]],
    ['/time/advance', [change((fields) => time.advance(fields))]],
    ['/cut', [change((fields) => changes.cut(fields))]],
  ]);
}

function read(answer: (fields: Fields) => object | Promise<object>): Route {
  return { kind: 'read', answer: async (fields) => ({ json: await answer(fields) }) };
}

function change(answer: (fields: Fields) => object | Promise<object>): Route {
  return { kind: 'change', answer: async (fields) => ({ json: await answer(fields) }) };
}

function metrics(broker: ControlContext): Route {
  return {
    kind: 'read',
    answer: async (fields) => {
      fields.end();
      return { text: { type: EXPOSITION_TYPE, body: await metricsText(broker) } };
    },
  };
}

function noFields<T>(fields: Fields, answer: () => T): T {
  fields.end();
  return answer();
}
