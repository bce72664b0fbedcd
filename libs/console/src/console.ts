// The console itself: answers requests of any framework. The pages are in pages/, what protects it in http/ and access/.

import { RocketMQError } from 'nestjs-rocketmq/admin';
import { Audit, type AuditEntry, CONSOLE_ACTIONS, type ConsoleAction } from './access/audit.js';
import { type ConsoleOptions, type ResolvedConsoleOptions, resolveConsoleOptions } from './access/options.js';
import { type Asked, asksOf, noPlan, type Planned, Plans, wholeOf } from './access/plans.js';
import { Redaction } from './access/redaction.js';
import { actionsNeeded, planChange } from './changes/changes.js';
import { EditedCopies } from './changes/edited-copies.js';
import { Fields, wrong } from './changes/fields.js';
import { TimeWatch, timeOf } from './cluster/broker-time.js';
import { CachedAnswer } from './cluster/cached-answer.js';
import { ClusterWatch } from './cluster/cluster-watch.js';
import { controllerForMany } from './cluster/controller-for-many.js';
import { KeptLag } from './cluster/kept-lag.js';
import { RecallWatch } from './cluster/recall-watch.js';
import { ReplayWatch } from './cluster/replay-watch.js';
import {
  type ConsoleAnswer,
  ConsoleRejection,
  type ConsoleRequest,
  jsonAnswer,
  rejectionAnswer,
} from './http/exchange.js';
import { assertOwnPage, assertOwnReading } from './http/guard.js';
import { EVENT_HEADERS } from './http/headers.js';
import { PageFiles } from './http/page-files.js';
import type { PageContext } from './pages/context.js';
import { LiveStreams } from './pages/live.js';
import { PAGES } from './pages/pages.js';
import type { ConsoleSource } from './source.js';

const MAX_LINE_LENGTH = 2_000;
const MAX_REASON_LENGTH = 200;
/** Brokers change their version by a restart. */
const VERSIONS_MS = 60_000;

export class Console {
  readonly watch: ClusterWatch;
  private readonly options: ResolvedConsoleOptions;
  private readonly plans: Plans;
  private readonly audit: Audit;
  private readonly edited = new EditedCopies();
  private readonly live = new LiveStreams();
  /** The changes that run and exclude others. */
  private readonly running = new Set<string>();
  private readonly time: TimeWatch;
  private readonly versions: PageContext['versions'];
  private readonly recall: RecallWatch;
  private readonly replays: ReplayWatch;
  private readonly keptLag: KeptLag;
  private readonly ending = controllerForMany();

  /** @throws TypeError for an option that is wrong */
  constructor(
    private readonly source: ConsoleSource,
    options: ConsoleOptions,
    private readonly files = new PageFiles(),
  ) {
    this.options = resolveConsoleOptions(options, source.kind === 'embedded');
    this.plans = new Plans(source.monotonicMs);
    this.audit = new Audit([(entry) => source.log(lineOf(entry)), this.options.audit], (error) =>
      source.log(`console: the audit failed: ${oneLine(messageOf(error))}`),
    );
    const { admin, application, control, kind, monotonicMs, nowMs } = source;
    const ownGroups = (): string[] => [...new Set(application?.listeners().map(({ consumerGroup }) => consumerGroup))];
    this.watch = new ClusterWatch({ admin, nowMs, monotonicMs, ownGroups, comparesMembers: kind === 'embedded' });
    this.versions = new CachedAnswer(
      () => admin.brokerVersions({ signal: this.ending.signal }),
      VERSIONS_MS,
      monotonicMs,
    );
    const { operationsTopic } = this.options;
    this.keptLag = new KeptLag({ admin, operationsTopic, monotonicMs, signal: this.ending.signal });
    this.recall = new RecallWatch(admin, monotonicMs, this.ending.signal);
    this.replays = new ReplayWatch(admin, monotonicMs);
    this.time = new TimeWatch(source.time ?? (control && timeOf(control)), monotonicMs, this.ending.signal);
  }

  /** Answers a request below the console's path. Never throws. */
  async answer(request: ConsoleRequest): Promise<ConsoleAnswer> {
    try {
      if (PageFiles.isMeant(request)) return await this.files.answer(request);
      if (request.method !== 'POST' && request.path.startsWith('/api/')) assertOwnReading(request);
      if (request.method === 'GET' && request.path === '/api/events')
        return { kind: 'stream', status: 200, headers: EVENT_HEADERS, lines: this.live.lines(this.contextOf(request)) };
      return jsonAnswer(200, await this.result(request));
    } catch (error) {
      return this.rejected(error, request);
    }
  }

  /** Ends what runs in the background. Idempotent. */
  close(): void {
    this.watch.close();
    // An HTTP server waits for streams that are open before it ends.
    this.live.close();
    this.ending.abort(new Error('the console is closed'));
  }

  private async result(request: ConsoleRequest): Promise<unknown> {
    const { method, path } = request;
    if (method === 'POST') {
      assertOwnPage(request);
      if (path === '/api/plans') return this.plan(request);
      if (path === '/api/executions') return this.execute(request);
    } else if (method === 'GET' || method === 'HEAD') {
      for (const { pattern, read } of PAGES) {
        const match = pattern.exec(path);
        if (match !== null) return read(this.contextOf(request), ...match.slice(1).map(decoded));
      }
    } else throw new ConsoleRejection(405, 'METHOD', `${method} is not answered here`);
    throw new ConsoleRejection(404, 'NO_PAGE', `there is no ${path}`);
  }

  private contextOf(request: ConsoleRequest): PageContext {
    const { source, watch, time, versions, recall, replays, keptLag, audit, edited, options } = this;
    const redaction = new Redaction(options.bodies, request.viewer, (error) =>
      source.log(`console: the rule for bodies failed, so a body is hidden: ${oneLine(messageOf(error))}`),
    );
    const { admin, nowMs } = source;
    const actions = [...options.actions].filter((action) => isPossible(action, source));
    const { operationsTopic } = options;
    const shown = { redaction, request, actions, audit, edited, nowMs, operationsTopic };
    return { source, admin, watch, time, versions, recall, replays, keptLag, ...shown };
  }

  private async plan(request: ConsoleRequest): Promise<unknown> {
    const fields = new Fields(await request.json());
    const named = fields.text('action');
    const action = CONSOLE_ACTIONS.find((one) => one === named);
    if (action === undefined) throw wrong(`action must be one of ${CONSOLE_ACTIONS.join(', ')}`);
    // Before anything is read for the plan.
    const missing = actionsNeeded(action, fields).find((one) => !this.options.actions.has(one));
    if (missing !== undefined) return this.reject(request, { action: missing, target: fields.named() }, 'a plan');
    const change = await planChange(this.contextOf(request), action, fields);
    await this.assertAllowed(request, change, 'a plan');
    const { plan, expiresInMs } = this.plans.add(change, request.viewer);
    const { target } = wholeOf(change);
    return { plan, expiresAtMs: this.source.nowMs() + expiresInMs, action, target, preview: change.preview };
  }

  private async execute(request: ConsoleRequest): Promise<unknown> {
    const fields = new Fields(await request.json());
    const plan = fields.text('plan');
    const reason = fields.optionalText('reason', MAX_REASON_LENGTH);
    fields.end();
    const found = this.plans.find(plan);
    if (found === undefined) throw noPlan();
    if (found.viewer !== request.viewer) {
      const text = 'it is the plan of another viewer';
      this.note(request, wholeOf(found.change), { plan, outcome: 'rejected', text });
      throw noPlan();
    }
    await this.assertAllowed(request, found.change, plan);
    // Another request may have carried it out meanwhile.
    if (this.plans.find(plan) === undefined) throw noPlan();
    const { exclusive = [] } = found.change;
    const busy = exclusive.find((name) => this.running.has(name));
    if (busy !== undefined) {
      const text = `another ${busy} is under way; nothing was changed; plan again when it is done`;
      this.note(request, wholeOf(found.change), { plan, outcome: 'rejected', text });
      throw new ConsoleRejection(409, 'BUSY', text);
    }
    const change = this.plans.take(plan);
    for (const name of exclusive) this.running.add(name);
    const note = (outcome: AuditEntry['outcome'], text: string): void =>
      this.note(request, wholeOf(change), { plan, outcome, text, ...(reason !== undefined && { reason }) });
    try {
      // Not with the browser: a change that stopped where a tab was closed would be half of one.
      const result = await change.run(this.ending.signal);
      note(result.outcome, result.text);
      return result;
    } catch (error) {
      const isUnknown = (error as { readonly outcome?: unknown }).outcome === 'unknown';
      note('failed', messageOf(error) + (isUnknown ? '; it may have taken effect' : ''));
      throw error;
    } finally {
      for (const name of exclusive) this.running.delete(name);
      this.watch.forgetLists();
    }
  }

  private async assertAllowed(request: ConsoleRequest, change: Planned, plan: string): Promise<void> {
    // One after the other: a rule may ask elsewhere.
    for (const asked of asksOf(change))
      if (!(await this.allows(request, asked, plan))) this.reject(request, asked, plan);
  }

  private async allows(request: ConsoleRequest, asked: Asked, plan: string): Promise<boolean> {
    const { action, target } = asked;
    if (!this.options.actions.has(action)) return false;
    try {
      // Only true is yes: a function without a return must not let everybody in.
      return (await this.options.authorize(request.viewer, action, target)) === true;
    } catch (error) {
      this.note(request, asked, { plan, outcome: 'rejected', text: 'authorize failed' }, messageOf(error));
      const text = `whether you may ${NAMES[action]} could not be decided, the log says why; nothing was changed`;
      throw new ConsoleRejection(500, 'UNDECIDED', text);
    }
  }

  private reject(request: ConsoleRequest, asked: Asked, plan: string): never {
    this.note(request, asked, { plan, outcome: 'rejected', text: 'not allowed' });
    throw new ConsoleRejection(403, 'NOT_ALLOWED', `you may not ${NAMES[asked.action]}; nothing was changed`);
  }

  /** What went wrong, for the viewer: the console's own rejections, and the errors of the cluster with their codes. */
  private rejected(error: unknown, { method, path }: ConsoleRequest): ConsoleAnswer {
    if (error instanceof ConsoleRejection) return rejectionAnswer(error);
    if (RocketMQError.is(error)) {
      const { code, message, outcome, retryable } = error;
      // A proxy may replace the text of a 5xx.
      return jsonAnswer(error.name === 'UsageError' ? 400 : 502, { error: { code, message, outcome, retryable } });
    }
    const about = `${method} ${oneLine(path.slice(0, 200))}`;
    this.source.log(`console: ${about} failed: ${(error as Error)?.stack ?? String(error)}`);
    return jsonAnswer(500, { error: { code: 'FAILED', message: 'the console failed; its log says why' } });
  }

  private note(
    { viewer, remoteAddress }: ConsoleRequest,
    { action, target }: Asked,
    end: Pick<AuditEntry, 'plan' | 'outcome' | 'text' | 'reason'>,
    cause?: string,
  ): void {
    this.audit.add({ atMs: this.source.nowMs(), viewer, remoteAddress, action, target, ...end }, cause);
  }
}

/** Whether there is something here that the action changes. */
function isPossible(action: ConsoleAction, { application, control, schedule, send, time }: ConsoleSource): boolean {
  if (action === 'listeners') return application !== undefined;
  if (action === 'schedule') return schedule !== undefined;
  if (action === 'send') return send !== undefined;
  if (action === 'time') return time !== undefined || control !== undefined;
  return (action !== 'deliver' && action !== 'faults') || control !== undefined;
}

const NAMES: Readonly<Record<ConsoleAction, string>> = {
  replay: 'replay dead letters',
  rewind: 'rewind groups',
  pause: 'pause and resume groups',
  recall: 'cancel delayed messages',
  deliver: 'deliver delayed messages now',
  resume: 'resume half messages',
  listeners: 'change listeners',
  schedule: 'change the schedule',
  send: 'send messages',
  time: 'move the time',
  faults: 'make the broker fail',
};

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ConsoleRejection(400, 'WRONG_PATH', 'the path is not percent-encoded correctly');
  }
}

function lineOf({ viewer, remoteAddress, action, target, outcome, text, reason }: AuditEntry): string {
  const about = Object.entries(target).map(([name, value]) => `${name} ${quoted(value)}`);
  const what = [action, about.join(', ')].filter((part) => part !== '').join(' ');
  return `console: ${quoted(viewer ?? remoteAddress ?? 'someone')}: ${what}: ${outcome}: ${oneLine(text)}${reason === undefined ? '' : `; reason ${quoted(reason)}`}`;
}

/** As it is if it looks like a name, so that a value cannot pass for another part of the line. */
function quoted(value: string): string {
  return /^[\w%|.@/+-]+$/.test(value) ? value : oneLine(JSON.stringify(value));
}

/** Without what begins another line of a log, or changes a terminal. */
function oneLine(text: string): string {
  const escaped = (char: string): string => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  return text.slice(0, MAX_LINE_LENGTH).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
