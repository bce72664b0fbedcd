// The messages and filters of which a real server is asked. The same ones every time: random ones are drawn from a seed.

/** The properties of each message. */
export const MESSAGES: readonly Readonly<Record<string, string>>[] = [
  {},
  { TAGS: 'A', a: '1', b: 'x' },
  { TAGS: 'B', a: '10', b: '10' },
  { TAGS: '*', a: '1.5', b: '1.5' },
  { TAGS: 'a b', a: '-5', b: 'X' },
  { TAGS: 'Aa', a: '007', b: '7' },
  { TAGS: 'BB', a: '3000000000', b: '' },
  { a: 'abc', b: 'abcabc' },
  { flag: 'TRUE', a: '' },
  { flag: 'false', a: ' 1' },
  { s: "it's", a: '1 ' },
  { TAGS: 'vip', KEYS: 'k1 k2', region: 'eu', a: '150', $x_1: 'dollar' },
  { a: '1e1', b: '+1' },
  { a: '0x10', b: '1_0' },
  { a: '.5', b: '5.' },
  { a: '9223372036854775807', b: '9223372036854775808' },
  { a: '-9223372036854775808', b: '-9223372036854775809' },
  { a: 'NaN', b: 'Infinity' },
  { a: '1.0', b: '1' },
  { a: '1d', b: '1f' },
  { a: '1L', b: '0' },
  { a: '-0', b: '-0.0' },
  { a: 'null', b: 'true' },
  { TAGS: '\u00a0A', a: '%', b: '_' },
  { a: 'größe', b: '大' },
];

const TAGS = [
  ...[
    '*',
    '',
    'A',
    'B',
    'A||B',
    ' A || B ',
    'A||',
    '||A',
    'A|| ||B',
    '*||A',
    'A||*',
    'A|B',
    'a b',
    'a',
    'vip',
    '||A||',
    '|A',
  ],
  // What the server compares before it trims.
  ...[' * ', '* ', '\t*', '  ', '\t', ' || ', '| |', '||', '||||', '|||', '|', '\u00a0', '\u00a0A', '\u0001A\u001f'],
  // Two tags with the same hash in Java.
  ...['Aa', 'BB', 'Aa||A', 'BB||vip'],
];

const SQL = [
  ...[
    "a = '1'",
    "a <> '1'",
    'a = 1',
    'a = 1L',
    'a = 7',
    'a = 1.5',
    'a = 10.0',
    'a = -5',
    'a > .5',
    'a > 5.',
    'a >= 1E1',
  ],
  ...[
    'a = 05',
    'a = 007',
    'a = 00',
    'a = 0',
    'a = 0x10',
    'a = 0X1F',
    'a = 010',
    'a > 0xG',
    'a = 0L',
    'a = 1l',
    'a = 1.5f',
    'a = 1d',
  ],
  ...[
    'a BETWEEN 1 AND 10',
    'a NOT BETWEEN 1 AND 10',
    'a BETWEEN 10 AND 1',
    'a NOT BETWEEN 10 AND 1',
    "a BETWEEN '1' AND '2'",
  ],
  ...[
    'a = 9223372036854775807',
    'a = 9223372036854775808',
    'a < 1e400',
    'a > 1e308',
    'a > 0.0',
    'a >= -9223372036854775808',
    'a = - 5',
  ],
  ...[
    "a IN ('1')",
    "a NOT IN ('1', '10')",
    "missing IN ('1')",
    "missing NOT IN ('1')",
    'a IN ()',
    'a IN (1)',
    "NOT a IN ('1')",
  ],
  ...[
    "a CONTAINS 'b'",
    "a NOT CONTAINS 'b'",
    "a STARTSWITH 'a'",
    "a NOT ENDSWITH 'c'",
    "missing CONTAINS 'x'",
    "a CONTAINS ''",
    'a CONTAINS b',
  ],
  ...[
    'a',
    'NOT a',
    'flag',
    'NOT flag',
    'flag = TRUE',
    'flag <> TRUE',
    'TRUE = flag',
    "flag = 'TRUE'",
    'a > TRUE',
    'a = NULL',
    'NULL',
    '1',
    "'x'",
  ],
  ...[
    'missing = other',
    "missing <> 'x'",
    "'x' <> missing",
    'a = b',
    'a > b',
    'a >= b',
    'a <> b',
    'b > a',
    'a IS NULL',
    'NOT a IS NULL',
    '(a > 1) IS NULL',
  ],
  ...[
    'TRUE',
    'FALSE',
    'TRUE OR FALSE AND FALSE',
    'NOT TRUE OR TRUE',
    '((TRUE))',
    'NOT NOT TRUE',
    '1 = 1',
    '1 = 1.0',
    "1 = '1'",
    '1 < 2 < 3',
    '1 = TRUE',
  ],
  ...[
    "s = 'it''s'",
    "a = 'größe'",
    "b = '大'",
    "a -- c\n = '1'",
    "a /* c */ = '1'",
    "a\u00a0= '1'",
    'größe = 1',
    '$x_1 IS NOT NULL',
    '_a IS NULL',
    'a.b = 1',
    'a-1 = 1',
  ],
  ...[
    "TAGS = 'A'",
    "TAGS IN ('A', 'vip')",
    'TAGS IS NULL',
    "tags = 'A'",
    "KEYS = 'k1 k2'",
    "a != '1'",
    "a == '1'",
    'a = "1"',
    "(a = '1'",
    "a = '1' AND",
    ' ',
    '',
  ],
  // Behind a complete expression.
  ...["a = '1' garbage", "a = '1' )", "a LIKE '1%'", "a = '1' #", 'a = 1 2', 'a > 1 b', 'a IS NULL b'],
];

/** @returns a random integer below `count` */
function numbers(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

/** @param count of random filters */
function randomSql(count: number): string[] {
  const below = numbers(41);
  const one = (texts: readonly string[]) => texts[below(texts.length)] as string;
  const property = () => one(['a', 'a', 'b', 'flag', 's', 'TAGS', 'missing']);
  const number = () =>
    one([
      '0',
      '1',
      '-1',
      '10',
      '1.5',
      '-5',
      '3000000000',
      '5.',
      '.5',
      '1E1',
      '05',
      '1L',
      '+1',
      '- 1',
      '9223372036854775807',
    ]);
  const text = () => one(["'1'", "'10'", "'abc'", "'x'", "''", "'TRUE'", "'A'", "'1.5'", "' 1'", "'-5'", "'%'"]);
  const value = () => one([number(), text(), property(), 'TRUE', 'FALSE', 'NULL']);
  const operator = () => one(['=', '<>', '>', '>=', '<', '<=', '=']);
  const not = () => one(['', '', 'NOT ']);
  const condition = (): string => {
    const left = below(5) === 0 ? value() : property();
    switch (below(7)) {
      case 0:
        return `${left} IS ${not()}NULL`;
      case 1:
        return `${left} ${not()}IN (${Array.from({ length: 1 + below(3) }, text).join(', ')})`;
      case 2:
        return `${left} ${not()}BETWEEN ${below(5) === 0 ? value() : number()} AND ${number()}`;
      case 3:
        return `${left} ${not()}${one(['CONTAINS', 'STARTSWITH', 'ENDSWITH'])} ${text()}`;
      default:
        return `${left} ${operator()} ${value()}`;
    }
  };
  const expression = (depth: number): string => {
    if (depth === 0) return condition();
    switch (below(5)) {
      case 0:
        return `${expression(depth - 1)} AND ${expression(depth - 1)}`;
      case 1:
        return `${expression(depth - 1)} OR ${expression(depth - 1)}`;
      case 2:
        return `NOT (${expression(depth - 1)})`;
      case 3:
        return `(${expression(depth - 1)})`;
      default:
        return `${not()}${condition()}`;
    }
  };
  return Array.from({ length: count }, () => expression(below(4)));
}

const RANDOM = 1_200;

export const FILTERS: { readonly tags: readonly string[]; readonly sql: readonly string[] } = {
  tags: TAGS,
  sql: [...new Set([...SQL, ...randomSql(RANDOM)])],
};
