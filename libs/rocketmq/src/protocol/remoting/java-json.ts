// JSON as the server's library (fastjson) writes it: keys of an object may be numbers without quotes, or objects. Otherwise it is
// standard JSON.

/** The text is not JSON as a server of RocketMQ writes it. */
export class MalformedJson extends Error {
  constructor(problem: string) {
    super(`the JSON of the server ${problem}`);
    this.name = 'MalformedJson';
  }
}

/** An object whose keys are objects, such as `{{"queueId":0}:1}`: its pairs in their order. */
export class ObjectKeyedMap {
  constructor(readonly pairs: readonly (readonly [key: unknown, value: unknown])[]) {}
}

/** No answer of a server is nested deeper. Limits the recursion. */
const MAX_DEPTH = 64;
/** A number that JSON.parse might round. */
const INEXACT = /\d{16}/;
/** Above any number of Java; a BigInt of millions of digits would take minutes. */
const MAX_INTEGER_DIGITS = 40;
const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const INTEGER = /-?(?:0|[1-9]\d*)/y;
const WORD = /true|false|null/y;

/**
 * Parses a text. Integers beyond 2^53 become bigints. Keys that are numbers become strings.
 * @throws MalformedJson with the position for anything else
 */
export function parseJavaJson(text: string): unknown {
  // Most answers are standard JSON, some of them megabytes, and the engine's parser is many times faster.
  if (!INEXACT.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // Parsed below, or rejected there with the position.
    }
  }
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw this.error(`is nested deeper than ${MAX_DEPTH}`);
    this.skip();
    switch (this.text[this.at]) {
      case '{':
        return this.object(depth);
      case '[':
        return this.array(depth);
      case '"':
        return this.string();
      case 't':
      case 'f':
      case 'n':
        return JSON.parse(this.take(WORD, 'a value'));
      default:
        return numberOf(this.take(NUMBER, 'a value'));
    }
  }

  end(): void {
    this.skip();
    if (this.at < this.text.length) throw this.error('has content after its end');
  }

  private object(depth: number): unknown {
    this.at++;
    if (this.accepts('}')) return {};
    this.skip();
    return this.text[this.at] === '{' ? this.objectKeyed(depth) : this.textKeyed(depth);
  }

  private textKeyed(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    do {
      this.skip();
      const key = this.text[this.at] === '"' ? this.string() : this.take(INTEGER, 'a key');
      entries.push([key, this.member(depth)]);
    } while (this.accepts(','));
    this.expect('}');
    // This way `__proto__` becomes an own property as well.
    return Object.fromEntries(entries);
  }

  private objectKeyed(depth: number): ObjectKeyedMap {
    const pairs: [unknown, unknown][] = [];
    do {
      this.skip();
      if (this.text[this.at] !== '{') throw this.error('mixes keys that are objects with others');
      pairs.push([this.value(depth + 1), this.member(depth)]);
    } while (this.accepts(','));
    this.expect('}');
    return new ObjectKeyedMap(pairs);
  }

  /** What stands behind a key. */
  private member(depth: number): unknown {
    this.expect(':');
    return this.value(depth + 1);
  }

  private array(depth: number): unknown[] {
    this.at++;
    const items: unknown[] = [];
    if (this.accepts(']')) return items;
    do items.push(this.value(depth + 1));
    while (this.accepts(','));
    this.expect(']');
    return items;
  }

  /** Its end is the next quote without an escape; what is between is for JSON.parse to judge. */
  private string(): string {
    let end = this.text.indexOf('"', this.at + 1);
    while (end !== -1 && this.isEscaped(end)) end = this.text.indexOf('"', end + 1);
    if (end === -1) throw this.error('has a string without an end');
    try {
      const value = JSON.parse(this.text.slice(this.at, end + 1)) as string;
      this.at = end + 1;
      return value;
    } catch {
      throw this.error('has a broken string');
    }
  }

  private isEscaped(at: number): boolean {
    let backslashes = 0;
    while (this.text[at - 1 - backslashes] === '\\') backslashes++;
    return backslashes % 2 === 1;
  }

  private accepts(mark: string): boolean {
    this.skip();
    if (this.text[this.at] !== mark) return false;
    this.at++;
    return true;
  }

  private expect(mark: string): void {
    if (!this.accepts(mark)) throw this.error(`lacks "${mark}"`);
  }

  private take(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.text) ?? [];
    if (found === undefined) throw this.error(`has no ${what.replace(/^an? /, '')} where one must be`);
    this.at += found.length;
    return found;
  }

  private skip(): void {
    WHITESPACE.lastIndex = this.at;
    this.at += WHITESPACE.exec(this.text)?.[0].length ?? 0;
  }

  private error(problem: string): MalformedJson {
    return new MalformedJson(`${problem} at character ${this.at}`);
  }
}

function numberOf(text: string): number | bigint {
  const value = Number(text);
  if (Number.isSafeInteger(value) || /[.eE]/.test(text)) return value;
  if (text.length > MAX_INTEGER_DIGITS) throw new MalformedJson(`has an integer of ${text.length} characters`);
  return BigInt(text);
}
