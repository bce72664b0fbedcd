// The console itself: answers requests of any framework. The pages are in pages/, what protects it in http/ and access/.

import { Audit, type AuditEntry, CONSOLE_ACTIONS, type ConsoleAction } from './access/audit.js';
import {
  CLOSED,
  type ConsoleDefaults,
  type ConsoleOptions,
  type ResolvedConsoleOptions,
  resolveConsoleOptions,
} from './access/options.js';
import { type Change, Plans } from './access/plans.js';
import { Redaction } from './access/redaction.js';
import { planChange } from './changes/changes.js';
import { Fields, wrong } from './changes/fields.js';
import { TimeWatch, timeOf } from './cluster/broker-time.js';
import { ClusterWatch } from './cluster/cluster-watch.js';
import { Kept } from './cluster/kept.js';
import { type ConsoleAnswer, ConsoleRefusal, type ConsoleRequest, toJson } from './http/exchange.js';
import { assertOwnPage } from './http/guard.js';
import { EVENT_HEADERS, JSON_HEADERS } from './http/headers.js';
import { PageFiles } from './http/page-files.js';
import type { PageContext } from './pages/context.js';
import { LiveStreams } from './pages/live.js';
import { PAGES } from './pages/pages.js';
import type { ConsoleSource } from './source.js';

/** Brokers change their version by a restart. */
const VERSIONS_MS = 60_000;

export class Console {
  readonly watch: ClusterWatch;
  private readonly options: ResolvedConsoleOptions;
  private readonly plans: Plans;
  private readonly audit: Audit;
  private readonly live = new LiveStreams();
  private readonly time: TimeWatch;
  private readonly versions: PageContext['versions'];
  private readonly ending = new AbortController();

  /** @throws TypeError for an option that is wrong */
  constructor(
    private readonly source: ConsoleSource,
    options: ConsoleOptions,
    defaults: ConsoleDefaults = CLOSED,
    private readonly files = new PageFiles(),
  ) {
    this.options = resolveConsoleOptions(options, defaults);
    this.plans = new Plans(source.monotonicMs);
    this.audit = new Audit((entry) => {
      source.log(lineOf(entry));
      this.options.audit(entry);
    });
    const { admin, application, control, kind, monotonicMs, nowMs } = source;
    const ownGroups = (): string[] => [...new Set(application?.listeners().map(({ consumerGroup }) => consumerGroup))];
    this.watch = new ClusterWatch({ admin, nowMs, ownGroups, comparesMembers: kind === 'embedded' });
    this.versions = new Kept(() => admin.brokerVersions({ signal: this.ending.signal }), VERSIONS_MS, nowMs);
    this.time = new TimeWatch(source.time ?? (control && timeOf(control)), monotonicMs, this.ending.signal);
  }

  /** Answers a request below the console's path. Never throws. */
  async answer(request: ConsoleRequest): Promise<ConsoleAnswer> {
    try {
      if (PageFiles.isMeant(request)) return await this.files.answer(request);
      if (request.method === 'GET' && request.path === '/api/events')
        return { kind: 'stream', status: 200, headers: EVENT_HEADERS, lines: this.live.lines(this.contextOf(request)) };
      return whole(200, await this.result(request));
    } catch (error) {
      return this.refused(error, request);
    }
  }

  /** Ends what runs in the background. Idempotent. */
  close(): void {
    this.watch.close();
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
    } else throw new ConsoleRefusal(405, 'METHOD', `${method} is not answered here`);
    throw new ConsoleRefusal(404, 'NO_PAGE', `there is no ${path}`);
  }

  private contextOf(request: ConsoleRequest): PageContext {
    const { source, watch, time, versions, audit, options } = this;
    const redaction = new Redaction(options.bodies, request.viewer);
    const { admin, nowMs } = source;
    const actions = [...options.actions].filter((action) => isPossible(action, source));
    return { source, admin, watch, time, versions, redaction, request, actions, audit, nowMs };
  }

  private async plan(request: ConsoleRequest): Promise<unknown> {
    const fields = new Fields(await request.json());
    const named = fields.text('action');
    const action = CONSOLE_ACTIONS.find((one) => one === named);
    if (action === undefined) throw wrong(`action must be one of ${CONSOLE_ACTIONS.join(', ')}`);
    // Before anything is read for the plan.
    if (!this.options.actions.has(action)) return this.refuse(request, { action, target: {} }, 'a plan');
    const change = await planChange(this.contextOf(request), action, fields);
    await this.assertAllowed(request, change, 'a plan');
    const { plan, expiresInMs } = this.plans.add(change, request.viewer);
    const { target, preview } = change;
    return { plan, expiresAtMs: this.source.nowMs() + expiresInMs, action, target, preview };
  }

  private async execute(request: ConsoleRequest): Promise<unknown> {
    const fields = new Fields(await request.json());
    const plan = fields.text('plan');
    fields.end();
    const change = this.plans.take(plan, request.viewer);
    const note = (outcome: AuditEntry['outcome'], text: string): void =>
      this.note(request, change, { plan, outcome, text });
    await this.assertAllowed(request, change, plan);
    try {
      const result = await change.run(request.signal);
      note(result.outcome, result.text);
      return result;
    } catch (error) {
      note('failed', error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.watch.forgetLists();
    }
  }

  private async assertAllowed(request: ConsoleRequest, change: Change, plan: string): Promise<void> {
    const { action, target } = change;
    const isAllowed =
      this.options.actions.has(action) && (await this.options.authorize(request.viewer, action, target));
    if (!isAllowed) this.refuse(request, change, plan);
  }

  private refuse(request: ConsoleRequest, change: Pick<Change, 'action' | 'target'>, plan: string): never {
    this.note(request, change, { plan, outcome: 'refused', text: 'not allowed' });
    throw new ConsoleRefusal(403, 'NOT_ALLOWED', `you may not ${NAMES[change.action]}; nothing was changed`);
  }

  /** What went wrong, for the viewer: the console's own refusals, and the errors of the cluster with their codes. */
  private refused(error: unknown, { method, path }: ConsoleRequest): ConsoleAnswer {
    if (error instanceof ConsoleRefusal) {
      const { status, code, message } = error;
      return whole(status, { error: { code, message } });
    }
    const { code, message, outcome, retryable } = error as Partial<Record<string, unknown>>;
    if (typeof code === 'string') return whole(502, { error: { code, message, outcome, retryable } });
    this.source.log(`console: ${method} ${path.slice(0, 200)} failed: ${(error as Error)?.stack ?? String(error)}`);
    return whole(500, { error: { code: 'FAILED', message: 'the console failed; its log says why' } });
  }

  private note(
    { viewer, remoteAddress }: ConsoleRequest,
    { action, target }: Pick<Change, 'action' | 'target'>,
    end: Pick<AuditEntry, 'plan' | 'outcome' | 'text'>,
  ): void {
    this.audit.add({ atMs: this.source.nowMs(), viewer, remoteAddress, action, target, ...end });
  }
}

/** Whether there is something here that the action changes. */
function isPossible(action: ConsoleAction, { application, control, send, time }: ConsoleSource): boolean {
  if (action === 'listeners') return application !== undefined;
  if (action === 'send') return send !== undefined;
  if (action === 'time') return time !== undefined || control !== undefined;
  return (action !== 'deliver' && action !== 'faults') || control !== undefined;
}

const NAMES: Readonly<Record<ConsoleAction, string>> = {
  replay: 'replay dead letters',
  rewind: 'rewind groups',
  recall: 'cancel delayed messages',
  deliver: 'deliver delayed messages now',
  resume: 'resume half messages',
  listeners: 'change listeners',
  send: 'send messages',
  time: 'move the time',
  faults: 'make the broker fail',
};

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ConsoleRefusal(400, 'WRONG_PATH', 'the path is not percent-encoded correctly');
  }
}

function whole(status: number, value: unknown): ConsoleAnswer {
  return { kind: 'whole', status, headers: JSON_HEADERS, body: toJson(value) };
}

function lineOf({ viewer, remoteAddress, action, target, outcome, text }: AuditEntry): string {
  const about = Object.entries(target).map(([name, value]) => `${name} ${value}`);
  const what = [action, about.join(', ')].filter((part) => part !== '').join(' ');
  return `console: ${viewer ?? remoteAddress ?? 'someone'}: ${what}: ${outcome}: ${text}`;
}
