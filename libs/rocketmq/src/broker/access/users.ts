// Who may do what: users with their keys, and permissions on topics and consumer groups, matched as the real server's ACL 2.0
// matches them. Who asks, and for what, is in access-control.ts.

import { UsageError } from '../../support/errors.js';

/** What a client does with a topic: send to it, receive from it. With a consumer group: `Sub`. */
export type AccessAction = 'Pub' | 'Sub';

/** One rule. Of those that fit, the one with the most exact resource decides; without one, access is refused. */
export interface BrokerPermission {
  /** `Topic:orders`, `Topic:order-*`, `Topic:*`, the same with `Group:`, or `*` for all. */
  readonly resource: string;
  /** `All` stands for both. */
  readonly actions: readonly (AccessAction | 'All')[];
  /** Default `allow`. */
  readonly decision?: 'allow' | 'deny';
}

/** A user of the broker. */
export interface BrokerUser {
  /** The name by which requests are signed. */
  readonly accessKey: string;
  /** What they are signed with. */
  readonly secretKey: string;
  /** May do all, administration too. Default false. */
  readonly isSuper?: boolean;
  /** Default: none. */
  readonly permissions?: readonly BrokerPermission[];
}

/** What is to be done, and with what. */
export interface Access {
  readonly kind: 'Topic' | 'Group';
  readonly name: string;
  /** One of them is enough. */
  readonly actions: readonly AccessAction[];
}

const RESOURCE = /^(?:\*|(?:Topic|Group):(?:[^*]+\*?|\*))$/;
const ACTIONS: readonly string[] = ['Pub', 'Sub', 'All'];
const DECISIONS: readonly unknown[] = ['allow', 'deny', undefined];

/** @throws UsageError `ILLEGAL_USER` that names the field, and holds no secret */
export function assertUser({ accessKey, secretKey, permissions = [] }: BrokerUser): void {
  // The key travels in a header that is cut at these.
  if (typeof accessKey !== 'string' || !/^[\x21-\x7e]+$/.test(accessKey) || /[,/]/.test(accessKey)) {
    throw wrong('accessKey', 'must be printable ASCII text without blanks, "," and "/"');
  }
  if (typeof secretKey !== 'string' || secretKey === '')
    throw wrong('secretKey', `of "${accessKey}" must not be empty`);
  const resources = new Set<string>();
  for (const { resource, actions, decision } of permissions) {
    const of = `"${resource}" of user "${accessKey}"`;
    if (typeof resource !== 'string' || !RESOURCE.test(resource)) {
      throw wrong('resource', `${of} must be "Topic:name", "Topic:prefix*", "Group:name" or "*"`);
    }
    if (resources.has(resource)) throw wrong('resource', `${of} is there twice`);
    resources.add(resource);
    if (!Array.isArray(actions) || actions.length === 0 || !actions.every((action) => ACTIONS.includes(action))) {
      throw wrong('actions', `on ${of} must be some of ${ACTIONS.join(', ')}`);
    }
    if (!DECISIONS.includes(decision)) throw wrong('decision', `on ${of} must be allow or deny`);
  }
}

/** Why the user may not do this, in the real server's words; undefined when it may. */
export function refusalOf(user: BrokerUser, access: Access): string | undefined {
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

/** A whole name goes before a prefix, a long prefix before a short one, all of a kind before all. */
function exactness(resource: string): number {
  if (resource === '*') return -1;
  return resource.endsWith('*') ? resource.length : Number.POSITIVE_INFINITY;
}

function wrong(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_USER', `users: ${field} ${problem}`, field);
}
