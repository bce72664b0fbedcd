// The answers of each RPC in a run, and the answers that it should have given.

import { status as grpcStatus } from '@grpc/grpc-js';
import { Code } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, rpcMethod, rpcNames } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import type { PeerAnswer } from '../../tools/wire/http2-peer.js';

/** The outcome of one call: done, rejected with a code of RocketMQ or gRPC, or unanswered. */
export type Outcome =
  | { readonly kind: 'ok' }
  | { readonly kind: 'rejected'; readonly by: string; readonly message: string }
  | { readonly kind: 'unanswered' };

const PREFIX_BYTES = 5;
/** RPCs that neither a real server nor the embedded broker implements. */
const NOT_SERVED: ReadonlySet<RpcName> = new Set<RpcName>([
  'pullMessage',
  'updateOffset',
  'getOffset',
  'queryOffset',
  'syncLiteSubscription',
]);
/** An answer with this text is caused by a bug, not by validation. */
const FAULT =
  /cannot read propert|is not a function|is not iterable|is not defined|maximum call stack|invalid time value|cannot convert|cannot mix bigint|value of .{1,40} is out of range|offset is outside/i;

/** The outcome of an answer. An empty receive counts as done. */
export function outcomeOf(
  rpc: RpcName,
  { status, message = '', data }: Pick<PeerAnswer, 'status' | 'message' | 'data'>,
): Outcome {
  const reported = statusIn(rpc, data);
  if (reported !== undefined) {
    if (
      reported.code === Code.OK ||
      reported.code === Code.MESSAGE_NOT_FOUND ||
      reported.code === Code.MULTIPLE_RESULTS
    )
      return { kind: 'ok' };
    return { kind: 'rejected', by: Code[reported.code] ?? String(reported.code), message: reported.message };
  }
  if (status === undefined || status === '0') return { kind: 'unanswered' };
  return { kind: 'rejected', by: `gRPC ${grpcStatus[Number(status)]}`, message };
}

/** The status in the first message of an answer. */
function statusIn(rpc: RpcName, data: Buffer): { readonly code: Code; readonly message: string } | undefined {
  if (data.length < PREFIX_BYTES) return undefined;
  const first = data.subarray(PREFIX_BYTES, PREFIX_BYTES + data.readUInt32BE(1));
  const answer = rpcMethod(rpc).response.decode(first) as { status?: { code: Code; message: string } } & {
    content?: { $case: string; value: { code: Code; message: string } };
  };
  return answer.content?.$case === 'status' ? answer.content.value : answer.status;
}

/** Counts answers. */
export class Coverage {
  /** Answers that show a bug of the broker, each text once. */
  readonly faults = new Set<string>();
  private readonly counts = new Map<RpcName, Map<string, number>>();

  add(rpc: RpcName, outcome: Outcome): void {
    const label = outcome.kind === 'rejected' ? outcome.by : outcome.kind;
    const ofRpc = this.counts.get(rpc) ?? new Map<string, number>();
    this.counts.set(rpc, ofRpc.set(label, (ofRpc.get(label) ?? 0) + 1));
    if (outcome.kind === 'rejected' && FAULT.test(outcome.message))
      this.faults.add(`${rpc}: ${outcome.by}: ${outcome.message}`);
  }

  /** The RPCs that never passed validation, or never rejected anything. */
  gaps(): string[] {
    return rpcNames().flatMap((rpc) => {
      const { ok, rejected } = this.totals(rpc);
      if (NOT_SERVED.has(rpc)) return rejected > 0 ? [] : [`${rpc} was never asked for`];
      const gaps = ok > 0 ? [] : [`${rpc} never did what it was asked for`];
      return rejected > 0 ? gaps : [...gaps, `${rpc} never rejected anything`];
    });
  }

  /** A line for each RPC, most frequent rejections first. */
  table(): string[] {
    const head = `${'RPC'.padEnd(32)} ${'OK'.padStart(6)} ${'rejected'.padStart(8)} ${'no answer'.padStart(10)}  rejected by`;
    return [head, ...rpcNames().map((rpc) => this.row(rpc))];
  }

  private row(rpc: RpcName): string {
    const { ok, rejected, unanswered, rejections } = this.totals(rpc);
    const most = [...rejections].sort(([, left], [, right]) => right - left);
    const texts = most.slice(0, 4).map(([by, count]) => `${by} ${count}`);
    if (most.length > 4) texts.push(`${most.length - 4} more codes`);
    const numbers = `${String(ok).padStart(6)} ${String(rejected).padStart(8)} ${String(unanswered).padStart(10)}`;
    return `${rpc.padEnd(32)} ${numbers}  ${texts.join(', ')}`;
  }

  private totals(rpc: RpcName) {
    const counts = this.counts.get(rpc) ?? new Map<string, number>();
    const { ok = 0, unanswered = 0, ...others } = Object.fromEntries(counts) as Record<string, number>;
    const rejections = Object.entries(others);
    return { ok, unanswered, rejections, rejected: rejections.reduce((sum, [, count]) => sum + count, 0) };
  }
}
