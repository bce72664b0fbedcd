import { describe, expect, it } from '@jest/globals';
import { Code } from '../grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../grpc/status.js';
import { accessAdvice } from './access-advice.js';

describe('an access error', () => {
  it.each([
    ['username cannot be null.', 'set the option credentials'],
    ['User:app is not found.', 'does not know the access key "app"'],
    ['User:app is disabled.', 'the access key "app" is disabled'],
    ['check signature failed.', 'check credentials.secretKey'],
    [
      'User:app has no permission to access Topic:orders from 127.0.0.1, no matched policies.',
      'grant "app" the action PUB (to send) or SUB (to receive) on topic "orders"',
    ],
    [
      'User:app has no permission to access Group:billing from 127.0.0.1, the decision is deny.',
      'grant "app" the action SUB on consumer group "billing", and GET if its endpoints are name servers',
    ],
    ['User:app has no permission to access Cluster:c from 127.0.0.1, no matched policies.', 'on Cluster:c'],
    [
      'org.apache.rocketmq.acl.common.AclException: No accessKey is configured, org.apache',
      'set the option credentials',
    ],
    ['org.apache.rocketmq.acl.common.AclException: No acl config for app, org.apache', 'the access key "app"'],
    ['org.apache.rocketmq.acl.common.AclException: Check signature failed for accessKey=app', 'credentials.secretKey'],
    [
      'org.apache.rocketmq.acl.common.AclException: No default permission for topic:orders, org.apache',
      'grant it the action PUB (to send) or SUB (to receive) on topic "orders" (topicPerms)',
    ],
    [
      'org.apache.rocketmq.acl.common.AclException: No permission for group:billing, org.apache',
      'grant it the action SUB on consumer group "billing" (groupPerms)',
    ],
    [
      'org.apache.rocketmq.acl.common.AclException: Need admin permission for request code=17, but accessKey=app is not',
      'only an account with admin: true may do this',
    ],
    ['go away', 'either the credentials are wrong, or a permission is missing'],
  ])('says what to do when the server answers "%s"', (serverMessage, advice) => {
    expect(accessAdvice(serverMessage)).toContain(advice);
    const error = new StatusError('send to orders', { code: Code.UNAUTHORIZED, message: serverMessage });
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', outcome: 'rejected', retryable: false });
    expect(error.message).toContain(`send to orders: the server said "${serverMessage}"`);
    expect(error.message).toContain(advice);
  });

  it('uses the advice of the caller if there is one', () => {
    const error = new StatusError('recall', { code: Code.FORBIDDEN, message: 'recall failed' }, 'switch recall on');
    expect(error.message).toContain('switch recall on');
    expect(error.message).not.toContain('permission is missing');
  });
});
