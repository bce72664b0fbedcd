// The version of each broker, and what it supports.

import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { jsonOf } from '../remoting/answers.js';
import type { MasterBroker } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import type { CallOptions } from '../support/deadline.js';
import { type BrokerFailure, fromEach } from './each-broker.js';

/** A version as comparable numbers. */
export interface ServerVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

export interface BrokerVersion extends MasterBroker {
  /** As the server writes it, for instance `V5_5_0`. */
  readonly text: string;
  /** Undefined when the text has another format. */
  readonly version: ServerVersion | undefined;
  /**
   * Whether messages of one request keep their own tags, keys, properties and ids. Brokers before 5.4.0 store all of them with
   * those of the first. False when the version is not known.
   */
  readonly keepsBatches: boolean;
}

export interface BrokerVersions {
  /** By name. */
  readonly brokers: readonly BrokerVersion[];
  /** Brokers that did not answer. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
  /** Whether every master of the cluster answered and keeps batches. */
  readonly keepBatches: boolean;
}

const FORM = /^V(\d{1,3})_(\d{1,3})_(\d{1,3})(?:_|$)/;

/** @see MQVersion of the server, request code 28 */
export async function brokerVersions(cluster: ClusterAccess, options?: CallOptions): Promise<BrokerVersions> {
  return cluster.run('ask for broker versions', options, async (deadline) => {
    const { answers, failures } = await fromEach(cluster, deadline, async (broker, own) => {
      const { table } = jsonOf(await cluster.call(broker, { code: REQUEST_CODES.getBrokerRuntimeInfo }, own));
      return String((table as Record<string, unknown> | undefined)?.brokerVersionDesc ?? '');
    });
    const brokers = answers.map(({ broker, value: text }) => {
      const version = parseVersion(text);
      return { ...broker, text, version, keepsBatches: version !== undefined && isFrom540(version) };
    });
    return { brokers, failures, keepBatches: failures.length === 0 && brokers.every((one) => one.keepsBatches) };
  });
}

/** `V5_3_3` or `V5_4_0_SNAPSHOT` as numbers. */
export function parseVersion(text: string): ServerVersion | undefined {
  const [, major, minor, patch] = FORM.exec(text)?.map(Number) ?? [];
  return major === undefined || minor === undefined || patch === undefined ? undefined : { major, minor, patch };
}

function isFrom540({ major, minor }: ServerVersion): boolean {
  return major > 5 || (major === 5 && minor >= 4);
}
