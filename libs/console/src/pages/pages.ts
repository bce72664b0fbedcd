// The addresses of the pages' data.

import { shownEvent } from '../access/failures.js';
import { ConsoleRejection } from '../http/exchange.js';
import { applicationOf, type PageContext } from './context.js';
import { failures } from './failures.js';
import { allDeadLetters, compare, deadLetters, group, groups, lagHistory } from './groups.js';
import { overview, session } from './overview.js';
import { schedule } from './schedule.js';
import { message, messages, topic, topics } from './topics.js';
import { delayed, delayedCalendar, faults, inFlight, transactions } from './waiting.js';

interface Page {
  readonly pattern: RegExp;
  read(context: PageContext, ...parts: string[]): Promise<object> | object;
}

export const PAGES: readonly Page[] = [
  { pattern: /^\/api\/session$/, read: session },
  { pattern: /^\/api\/overview$/, read: overview },
  { pattern: /^\/api\/topics$/, read: topics },
  { pattern: /^\/api\/topics\/([^/]+)$/, read: topic },
  { pattern: /^\/api\/topics\/([^/]+)\/messages$/, read: messages },
  { pattern: /^\/api\/topics\/([^/]+)\/messages\/([^/]+)$/, read: message },
  { pattern: /^\/api\/groups$/, read: groups },
  { pattern: /^\/api\/groups\/([^/]+)$/, read: group },
  { pattern: /^\/api\/groups\/([^/]+)\/failures$/, read: failures },
  { pattern: /^\/api\/groups\/([^/]+)\/lag-history$/, read: lagHistory },
  { pattern: /^\/api\/groups\/([^/]+)\/dead-letters$/, read: deadLetters },
  { pattern: /^\/api\/groups\/([^/]+)\/dead-letters\/compare$/, read: compare },
  { pattern: /^\/api\/dead-letters$/, read: allDeadLetters },
  { pattern: /^\/api\/delayed$/, read: delayed },
  { pattern: /^\/api\/delayed\/calendar$/, read: delayedCalendar },
  { pattern: /^\/api\/transactions$/, read: transactions },
  { pattern: /^\/api\/app$/, read: app },
  { pattern: /^\/api\/schedule$/, read: schedule },
  { pattern: /^\/api\/in-flight$/, read: inFlight },
  { pattern: /^\/api\/time$/, read: time },
  { pattern: /^\/api\/faults$/, read: faults },
  { pattern: /^\/api\/audit$/, read: ({ audit }) => ({ entries: audit.list() }) },
];

function app(context: PageContext) {
  const application = applicationOf(context);
  return {
    instance: application.instance,
    listeners: application.listeners(),
    // Their messages are not at hand for a rule.
    events: application.events().map((one) => shownEvent(one, context.redaction.showsBody())),
    health: application.health(),
  };
}

async function time({ time: watch }: PageContext) {
  const state = await watch.read();
  if (state === undefined)
    throw new ConsoleRejection(404, 'NO_TIME', 'the time of this broker cannot be moved; start it with time travel');
  return state;
}
