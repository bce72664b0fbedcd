// What to do when a server denies access. Its message distinguishes a wrong key from a missing permission, by ACL 2.0 and by ACL 1.0.

interface Reason {
  readonly pattern: RegExp;
  advice(match: RegExpExecArray): string;
}

const USER = /(?:^|\s)User:(\S+)/i;

/** What follows the user. @see DefaultAuthenticationHandler, AclAuthorizationHandler and UserAuthorizationHandler of the server */
const REASONS_OF_USER: readonly {
  readonly pattern: RegExp;
  advice(match: RegExpExecArray, user: string): string;
}[] = [
  { pattern: /^ (?:is )?not found/i, advice: (_, user) => unknownKey(user) },
  {
    pattern: /^ is disabled/i,
    advice: (_, user) => `the access key "${user}" is disabled on the server: enable it there, or use another key`,
  },
  {
    pattern: /^ has no permission to access (Topic|Group):(\S+)/i,
    advice: ([, kind, name], user) =>
      kind?.toLowerCase() === 'group'
        ? `the key is correct, but a permission is missing: grant "${user}" the action SUB on consumer group "${name}", and GET if its endpoints are name servers`
        : `the key is correct, but a permission is missing: grant "${user}" the action PUB (to send) or SUB (to receive) on topic "${name}"`,
  },
  {
    pattern: /^ has no permission to access (\S+)/i,
    advice: ([, what], user) =>
      `the key is correct, but a permission is missing: grant "${user}" this action on ${what}`,
  },
];

/** @see DefaultAuthenticationHandler of the server, and before 5.3.0 PlainPermissionManager and PlainPermissionChecker */
const REASONS: readonly Reason[] = [
  {
    pattern: /username cannot be null|No accessKey is configured/i,
    advice: () => 'the server requires credentials and none were sent: set the option credentials',
  },
  { pattern: /No acl config for ([^\s,]+)/i, advice: ([, key = '']) => unknownKey(key) },
  {
    pattern: /check signature failed/i,
    advice: () => 'the secret key does not match the access key: check credentials.secretKey',
  },
  {
    pattern: /No (?:default )?permission for (topic|group):([^\s,]+)/i,
    advice: ([, kind, name]) =>
      kind?.toLowerCase() === 'group'
        ? `the key is correct, but a permission is missing: grant it the action SUB on consumer group "${name}" (groupPerms)`
        : `the key is correct, but a permission is missing: grant it the action PUB (to send) or SUB (to receive) on topic "${name}" (topicPerms)`,
  },
  {
    pattern: /recall failed, operation is forbidden/i,
    advice: () =>
      'the broker does not cancel messages: it needs recallMessageEnable=true, or an embedded broker the option recallEnabled',
  },
  {
    pattern: /Need admin permission/i,
    advice: () => 'the key is correct, but a permission is missing: only an account with admin: true may do this',
  },
];

function unknownKey(key: string): string {
  return `the server does not know the access key "${key}": check credentials.accessKey`;
}

const EITHER = 'either the credentials are wrong, or a permission is missing on this topic or consumer group';

/** @param serverMessage the server's message when it denied access */
export function accessAdvice(serverMessage: string): string {
  const named = USER.exec(serverMessage);
  const [whole = '', user = ''] = named ?? [];
  const after = serverMessage.slice((named?.index ?? 0) + whole.length);
  for (const { pattern, advice } of named === null ? [] : REASONS_OF_USER) {
    const match = pattern.exec(after);
    if (match !== null) return advice(match, user);
  }
  for (const { pattern, advice } of REASONS) {
    const match = pattern.exec(serverMessage);
    if (match !== null) return advice(match);
  }
  return EITHER;
}

/** Whether a message of a broker is a rejection by ACL 1.0, whose code is that of any exception. @see AclException of the server */
export function isPlainAclRejection(serverMessage: string): boolean {
  return /^\S*AclException/.test(serverMessage);
}
