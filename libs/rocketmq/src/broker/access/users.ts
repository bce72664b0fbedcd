// Users with their keys, and permissions on topics and consumer groups, matched like ACL 2.0 of the real server. Requests are checked
// in access-control.ts.

import { UsageError } from '../../support/errors.js';

/**
 * An action on a topic: send to it, receive from it, or read its settings and offsets. The actions on a consumer group are `Sub` and `Get`. Only
 * clients of the remoting protocol need `Get`.
 */
export type AccessAction = 'Pub' | 'Sub' | 'Get';

/** One rule. Among the matching rules, the one with the most specific resource decides; without one, access is denied. */
export interface BrokerPermission {
  /** `Topic:orders`, `Topic:order-*`, `Topic:*`, the same with `Group:`, or `*` for all. */
  readonly resource: string;
  /** `All` is every one. */
  readonly actions: readonly (AccessAction | 'All')[];
  /** Default `allow`. */
  readonly decision?: 'allow' | 'deny';
}

/** A user of the embedded broker. */
export interface BrokerUser {
  /** The name that identifies the user in signatures. */
  readonly accessKey: string;
  /** The key that signs requests. */
  readonly secretKey: string;
  /** Whether everything is permitted, including administration. Default false. */
  readonly isSuper?: boolean;
  /** Default: none. */
  readonly permissions?: readonly BrokerPermission[];
}

/** The access that a request requires. */
export interface Access {
  readonly kind: 'Topic' | 'Group';
  readonly name: string;
  /** One of these actions is sufficient. */
  readonly actions: readonly AccessAction[];
}

const RESOURCE = /^(?:\*|(?:Topic|Group):(?:[^*]+\*?|\*))$/;
const ACTIONS: readonly string[] = ['Pub', 'Sub', 'Get', 'All'];
const DECISIONS: readonly unknown[] = ['allow', 'deny', undefined];

/** @throws UsageError `ILLEGAL_USER` that names the field and contains no secret */
export function assertUser({ accessKey, secretKey, permissions = [] }: BrokerUser): void {
  // These characters separate the parts of the header that contains the key.
  if (typeof accessKey !== 'string' || !/^[\x21-\x7e]+$/.test(accessKey) || /[,/]/.test(accessKey)) {
    throw wrong('accessKey', 'must be printable ASCII without blanks, "," and "/"');
  }
  if (typeof secretKey !== 'string' || secretKey === '')
    throw wrong('secretKey', `of "${accessKey}" must not be empty`);
  const resources = new Set<string>();
  for (const { resource, actions, decision } of permissions) {
    const of = `"${resource}" of user "${accessKey}"`;
    if (typeof resource !== 'string' || !RESOURCE.test(resource)) {
      throw wrong('resource', `${of} must be "Topic:name", "Topic:prefix*", "Group:name" or "*"`);
    }
    if (resources.has(resource)) throw wrong('resource', `${of} is listed twice`);
    resources.add(resource);
    if (!Array.isArray(actions) || actions.length === 0 || !actions.every((action) => ACTIONS.includes(action))) {
      throw wrong('actions', `on ${of} must be some of ${ACTIONS.join(', ')}`);
    }
    if (!DECISIONS.includes(decision)) throw wrong('decision', `on ${of} must be allow or deny`);
  }
}

/** Why the user may not do this, in the real server's words; undefined if permitted. */
export function rejectionOf(user: BrokerUser, access: Access): string | undefined {
  if (user.isSuper === true) return undefined;
  const [first] = (user.permissions ?? [])
    .filter(({ resource, actions }) => covers(resource, access) && fits(actions, access.actions))
    .sort((a, b) => exactness(b.resource) - exactness(a.resource));
  if (first === undefined) return 'no matched policies.';
  return first.decision === 'deny' ? 'the decision is deny.' : undefined;
}

function covers(resource: string, { kind, name }: Access): boolean {
  if (resource === '*') return true;
  const [ofKind = '', pattern = ''] = resource.split(/:(.*)/s);
  if (ofKind !== kind) return false;
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function fits(allowed: BrokerPermission['actions'], wanted: readonly AccessAction[]): boolean {
  return allowed.includes('All') || wanted.some((action) => allowed.includes(action));
}

/** An exact name comes before a prefix, a long prefix before a short one, a kind before everything. */
function exactness(resource: string): number {
  if (resource === '*') return -1;
  return resource.endsWith('*') ? resource.length : Number.POSITIVE_INFINITY;
}

function wrong(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_USER', `users: ${field} ${problem}`, field);
}
