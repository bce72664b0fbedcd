// The options of the console that are the same however it is mounted, checked.

import type { StoredMessageView } from 'nestjs-rocketmq/admin';
import { type AuditEntry, CONSOLE_ACTIONS, type ConsoleAction } from './audit.js';

/**
 * What a viewer may see of a message's body. A function decides for each message and viewer; `topic` is the topic that the message was sent to,
 * also of its copies in retry topics, dead letter queues, and among delayed and half messages. A body is hidden when the function throws, when
 * that topic is not known, or when only a part of the body is at hand.
 */
export type BodyRule =
  | 'hidden'
  | 'shown'
  | ((message: StoredMessageView, viewer: string | undefined) => 'hidden' | 'shown' | Buffer);

/** What viewers see and may change, however the console is mounted. */
export interface ConsoleOptions {
  /**
   * What viewers may change, `all` or a list. Default: nothing, so the console only shows; with an embedded broker outside production
   * (`NODE_ENV=production`): `all`.
   */
  readonly actions?: 'all' | readonly ConsoleAction[];
  /**
   * Whether this viewer may do this to this target; asked when a change is planned, and again when it is carried out. `target.topic` is a topic
   * whose messages or groups it changes; about a change of several topics it is asked once for each. About an edited copy of a dead letter
   * it is asked as `replay` and as `send`. Default: yes.
   */
  readonly authorize?: (
    viewer: string | undefined,
    action: ConsoleAction,
    target: Readonly<Record<string, string>>,
  ) => boolean | Promise<boolean>;
  /**
   * Whether bodies are shown. Where they are hidden, they never leave the server: not in lists, search, following, plans or downloads. A
   * function may return other bytes to show instead. Default: `hidden`; with an embedded broker outside production: `shown`.
   */
  readonly bodies?: BodyRule;
  /**
   * The topic of the option `operations` of `RocketMQModule`, by its name on the cluster: pages of groups, messages and dead letters then show what handlers
   * threw in every instance, and those of groups their lag of a week. Default: none; only failures of this process are shown.
   */
  readonly operationsTopic?: string;
  /**
   * Called with each change that was carried out or rejected; not waited for. What it throws is logged. Default: changes are only logged, and
   * kept in memory, the last 1,000.
   */
  readonly audit?: (entry: AuditEntry) => void | Promise<void>;
}

/** What holds where the options do not say. */
type ConsoleDefaults = Required<Pick<ConsoleOptions, 'actions' | 'bodies'>>;

/** Nothing is changed, and no body is shown. */
const CLOSED: ConsoleDefaults = { actions: [], bodies: 'hidden' };
/** For the broker of a developer. */
const OPEN: ConsoleDefaults = { actions: 'all', bodies: 'shown' };

export interface ResolvedConsoleOptions {
  readonly actions: ReadonlySet<ConsoleAction>;
  readonly authorize: NonNullable<ConsoleOptions['authorize']>;
  readonly bodies: BodyRule;
  readonly operationsTopic: string | undefined;
  readonly audit: (entry: AuditEntry) => void | Promise<void>;
}

/** @param isEmbedded whether the broker is embedded; what holds by default depends on it. @throws TypeError that names the option */
export function resolveConsoleOptions(options: ConsoleOptions, isEmbedded: boolean): ResolvedConsoleOptions {
  const defaults = isEmbedded && process.env.NODE_ENV !== 'production' ? OPEN : CLOSED;
  const {
    actions = defaults.actions,
    authorize = () => true,
    bodies = defaults.bodies,
    audit = () => {},
    operationsTopic,
    ...others
  } = options;
  // A rule that is misspelled must not be left out in silence.
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw new TypeError(`the console has no option ${JSON.stringify(stranger)}`);
  const chosen = actions === 'all' ? CONSOLE_ACTIONS : actions;
  const unknown = Array.isArray(chosen) ? chosen.find((one) => !CONSOLE_ACTIONS.includes(one)) : actions;
  if (unknown !== undefined) throw illegal('actions', `'all' or a list of ${CONSOLE_ACTIONS.join(', ')}`, unknown);
  if (typeof authorize !== 'function') throw illegal('authorize', 'a function', authorize);
  if (bodies !== 'hidden' && bodies !== 'shown' && typeof bodies !== 'function')
    throw illegal('bodies', "'hidden', 'shown' or a function", bodies);
  if (operationsTopic !== undefined && (typeof operationsTopic !== 'string' || operationsTopic === ''))
    throw illegal('operationsTopic', 'the name of a topic', operationsTopic);
  if (typeof audit !== 'function') throw illegal('audit', 'a function', audit);
  return { actions: new Set(chosen), authorize, bodies, operationsTopic, audit };
}

function illegal(option: string, wanted: string, given: unknown): TypeError {
  return new TypeError(
    `option ${option} of the console must be ${wanted}, not ${JSON.stringify(given) ?? typeof given}`,
  );
}
