import { describe, expect, it } from '@jest/globals';
import { type Access, type AccessAction, assertUser, type BrokerPermission, rejectionOf } from './users.js';

const topic = (name: string, ...actions: AccessAction[]): Access => ({ kind: 'Topic', name, actions });
const group = (name: string): Access => ({ kind: 'Group', name, actions: ['Sub'] });
const allow = (resource: string, ...actions: BrokerPermission['actions'][number][]): BrokerPermission => {
  return { resource, actions };
};
const deny = (resource: string, ...actions: BrokerPermission['actions'][number][]): BrokerPermission => {
  return { resource, actions, decision: 'deny' };
};

describe('the permissions of a user', () => {
  const allowed = undefined;
  const unmatched = 'no matched policies.';
  const denied = 'the decision is deny.';

  it.each<[string, BrokerPermission[], Access, string | undefined]>([
    ['nothing is allowed', [], topic('orders', 'Pub'), unmatched],
    ['the whole name', [allow('Topic:orders', 'Pub')], topic('orders', 'Pub'), allowed],
    ['another name', [allow('Topic:orders', 'Pub')], topic('orders-2', 'Pub'), unmatched],
    ['another action', [allow('Topic:orders', 'Sub')], topic('orders', 'Pub'), unmatched],
    ['one action of two', [allow('Topic:orders', 'Sub')], topic('orders', 'Pub', 'Sub'), allowed],
    ['all actions', [allow('Topic:orders', 'All')], topic('orders', 'Pub'), allowed],
    ['a prefix', [allow('Topic:order-*', 'Pub')], topic('order-paid', 'Pub'), allowed],
    ['another prefix', [allow('Topic:order-*', 'Pub')], topic('orders', 'Pub'), unmatched],
    ['all of a kind', [allow('Topic:*', 'Pub')], topic('orders', 'Pub'), allowed],
    ['another kind', [allow('Topic:*', 'All')], group('orders'), unmatched],
    ['all', [allow('*', 'All')], group('orders'), allowed],
    ['a name before all of a kind', [allow('Topic:*', 'Pub'), deny('Topic:a', 'Pub')], topic('a', 'Pub'), denied],
    ['a name before a prefix', [deny('Topic:a*', 'Pub'), allow('Topic:ab', 'Pub')], topic('ab', 'Pub'), allowed],
    ['a long prefix before a short', [allow('Topic:a*', 'Pub'), deny('Topic:ab*', 'Pub')], topic('abc', 'Pub'), denied],
    ['all of a kind before all', [deny('*', 'All'), allow('Group:*', 'Sub')], group('g'), allowed],
  ])('%s', (_, permissions, access, rejection) => {
    expect(rejectionOf({ accessKey: 'app', secretKey: 's', permissions }, access)).toBe(rejection);
  });

  it('do not matter for a super user', () => {
    const user = { accessKey: 'root', secretKey: 's', isSuper: true, permissions: [deny('*', 'All')] };
    expect(rejectionOf(user, topic('orders', 'Pub'))).toBeUndefined();
  });

  it.each([
    ['accessKey', { accessKey: 'a b', secretKey: 'geheim' }],
    ['secretKey', { accessKey: 'a', secretKey: '' }],
    ['resource', { accessKey: 'a', secretKey: 'geheim', permissions: [allow('orders', 'Pub')] }],
    [
      'resource',
      { accessKey: 'a', secretKey: 'geheim', permissions: [allow('Topic:a', 'Pub'), deny('Topic:a', 'All')] },
    ],
    ['actions', { accessKey: 'a', secretKey: 'geheim', permissions: [allow('Topic:a')] }],
    ['actions', { accessKey: 'a', secretKey: 'geheim', permissions: [allow('Topic:a', 'PUB' as 'Pub')] }],
    [
      'decision',
      { accessKey: 'a', secretKey: 'geheim', permissions: [{ ...allow('*', 'All'), decision: 'no' as 'deny' }] },
    ],
  ])('name what is wrong: %s', (field, user) => {
    expect(() => assertUser(user)).toThrow(expect.objectContaining({ code: 'ILLEGAL_USER', field }));
    expect(() => assertUser(user)).not.toThrow(/geheim/);
  });
});
