import { describe, expect, it } from '@jest/globals';
import { Code } from '../grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../grpc/status.js';
import { accessAdvice } from './access-advice.js';

describe('a refusal for reasons of access', () => {
  it.each([
    ['username cannot be null.', 'set the option credentials'],
    ['User:app is not found.', 'does not know the access key "app"'],
    ['User:app is disabled.', 'has disabled the access key "app"'],
    ['check signature failed.', 'look at credentials.secretKey'],
    [
      'User:app has no permission to access Topic:orders from 127.0.0.1, no matched policies.',
      'allow "app" on topic "orders" the action PUB to send, SUB to receive',
    ],
    [
      'User:app has no permission to access Group:billing from 127.0.0.1, the decision is deny.',
      'allow "app" the action SUB on consumer group "billing"',
    ],
    ['User:app has no permission to access Cluster:c from 127.0.0.1, no matched policies.', 'on Cluster:c'],
    ['go away', 'either the credentials are wrong, or a permission is missing'],
  ])('tells what to do where the server said "%s"', (said, advice) => {
    expect(accessAdvice(said)).toContain(advice);
    const error = new StatusError('send to orders', { code: Code.UNAUTHORIZED, message: said });
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', outcome: 'rejected', retryable: false });
    expect(error.message).toContain(`send to orders: the server said "${said}"`);
    expect(error.message).toContain(advice);
  });

  it('gives way to the advice of who knows more', () => {
    const error = new StatusError('recall', { code: Code.FORBIDDEN, message: 'recall failed' }, 'switch recall on');
    expect(error.message).toContain('switch recall on');
    expect(error.message).not.toContain('permission is missing');
  });
});
