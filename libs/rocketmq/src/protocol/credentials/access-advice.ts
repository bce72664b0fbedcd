// What to do when a server refuses access: its words tell a wrong key from a missing permission (ACL 2.0 of the server).

interface Reason {
  readonly pattern: RegExp;
  advice(match: RegExpExecArray): string;
}

/** @see DefaultAuthenticationHandler, AclAuthorizationHandler and UserAuthorizationHandler of the server */
const REASONS: readonly Reason[] = [
  {
    pattern: /username cannot be null/i,
    advice: () => 'no credentials were given and the server wants some: set the option credentials',
  },
  {
    pattern: /(?:^|\s)User:(\S+) is not found|(?:^|\s)User:(\S+) not found/i,
    advice: ([, a, b]) => `the server does not know the access key "${a ?? b}": look at credentials.accessKey`,
  },
  {
    pattern: /(?:^|\s)User:(\S+) is disabled/i,
    advice: ([, user]) => `the server has disabled the access key "${user}": enable it there, or use another`,
  },
  {
    pattern: /check signature failed/i,
    advice: () => 'the secret key does not fit the access key: look at credentials.secretKey',
  },
  {
    pattern: /(?:^|\s)User:(\S+) has no permission to access (Topic|Group):(\S+)/i,
    advice: ([, user, kind, name]) =>
      kind?.toLowerCase() === 'group'
        ? `the key is right, a permission is missing: allow "${user}" the action SUB on consumer group "${name}"`
        : `the key is right, a permission is missing: allow "${user}" on topic "${name}" the action PUB to send, SUB to receive`,
  },
  {
    pattern: /(?:^|\s)User:(\S+) has no permission to access (\S+)/i,
    advice: ([, user, what]) => `the key is right, a permission is missing: allow "${user}" this on ${what}`,
  },
];

const EITHER = 'either the credentials are wrong, or a permission is missing for them on this topic or consumer group';

/** @param said the server's words to a refusal for reasons of access */
export function accessAdvice(said: string): string {
  for (const { pattern, advice } of REASONS) {
    const match = pattern.exec(said);
    if (match !== null) return advice(match);
  }
  return EITHER;
}
