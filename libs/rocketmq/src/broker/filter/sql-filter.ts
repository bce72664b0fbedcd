// SQL filters: compiles an expression to a predicate over messages. The grammar is in sql-filter.grammar, the semantics in
// sql-conditions.ts.

import type { SyntaxNode, Tree } from '@lezer/common';
import type { LRParser } from '@lezer/lr';
import { parser } from './generated/sql-filter.js';
import { MAX_FILTER_LENGTH } from './max-filter-length.js';
import * as sql from './sql-conditions.js';
import { Incomparable, integerOf, type SqlValue } from './sql-values.js';

/** The maximum nesting of parentheses and prefixes, so that no filter overflows the stack. */
export const DEEPEST_NESTING = 200;
/** How many characters of an invalid filter its error quotes. */
const QUOTED_CHARACTERS = 200;

/** A filter is invalid; the message states why. */
export class SqlFilterError extends Error {
  constructor(problem: string) {
    super(`invalid SQL filter: ${problem}`);
    this.name = 'SqlFilterError';
  }
}

/** Whether a message with these properties matches. */
export type SqlFilter = (lookup: sql.Lookup) => boolean;

/**
 * Compiles an SQL92 expression to a predicate (PROTOCOL 5.4). A message does not match if the expression is unknown for it, or
 * compares values that cannot be compared.
 * @throws SqlFilterError for an invalid expression
 */
export function compileSqlFilter(text: string): SqlFilter {
  if (text.trim() === '') throw new SqlFilterError('it is empty');
  if (text.length > MAX_FILTER_LENGTH) {
    throw new SqlFilterError(`it has ${text.length} characters; the limit is ${MAX_FILTER_LENGTH}`);
  }
  const condition = compile(text);
  return (lookup) => {
    try {
      return condition.evaluate(lookup) === true;
    } catch (error) {
      if (error instanceof Incomparable) return false;
      throw error;
    }
  };
}

function compile(text: string): sql.Operand {
  const tree = parse(parser.configure({ strict: true }), text);
  try {
    return sql.asCondition(new Compiler(text).disjunction(tree.topNode.getChild('Disjunction') as SyntaxNode));
  } catch (error) {
    if (error instanceof sql.MeaninglessFilter) throw new SqlFilterError(error.message);
    throw error;
  }
}

function parse(strictParser: LRParser, text: string): Tree {
  try {
    return strictParser.parse(text);
  } catch (error) {
    // The parser builds its tree recursively, before the nesting can be counted.
    if (error instanceof RangeError) throw tooDeep();
    // "No parse at 12"
    if (error instanceof SyntaxError)
      throw new SqlFilterError(`${error.message} of ${JSON.stringify(shortened(text))}`);
    throw error;
  }
}

/** Walks the syntax tree; each method returns the operand of one rule of the grammar. */
class Compiler {
  private depth = 0;

  constructor(private readonly text: string) {}

  disjunction(node: SyntaxNode): sql.Operand {
    return this.chain(node, true, (conjunction) => {
      return this.chain(conjunction, false, (equality) => this.equality(equality));
    });
  }

  private chain(node: SyntaxNode, decisive: boolean, part: (child: SyntaxNode) => sql.Operand): sql.Operand {
    const operands = childrenOf(node).map(part);
    return operands.length === 1 ? (operands[0] as sql.Operand) : sql.join(operands.map(sql.asCondition), decisive);
  }

  private equality(node: SyntaxNode): sql.Operand {
    const [first, ...tests] = childrenOf(node);
    return tests.reduce(
      (left, test) => {
        if (test.name === 'NullTest') return negateIf(test, sql.isNull(left));
        const [operator, right] = childrenOf(test) as [SyntaxNode, SyntaxNode];
        const isEqual = sql.equal(left, this.comparison(right));
        return this.textOf(operator) === '=' ? isEqual : sql.not(isEqual);
      },
      this.comparison(first as SyntaxNode),
    );
  }

  private comparison(node: SyntaxNode): sql.Operand {
    const [first, ...tests] = childrenOf(node);
    return tests.reduce((left, test) => this.test(left, test), this.unary(first as SyntaxNode));
  }

  private test(left: sql.Operand, test: SyntaxNode): sql.Operand {
    const isNegated = test.getChild('Not') !== null;
    switch (test.name) {
      case 'Order': {
        const [operator, right] = childrenOf(test) as [SyntaxNode, SyntaxNode];
        return sql.ordered(left, this.textOf(operator) as sql.OrderOperator, this.unary(right));
      }
      case 'Range': {
        const [low, high] = test.getChildren('Unary').map((end) => this.unary(end)) as [sql.Operand, sql.Operand];
        return isNegated ? sql.notBetween(left, low, high) : sql.between(left, low, high);
      }
      case 'Membership': {
        const texts = test.getChildren('String').map((literal) => this.stringOf(literal));
        return sql.oneOf(left, texts, isNegated);
      }
      default:
        return sql.substring(
          left,
          substringOperatorOf(test),
          this.stringOf(test.getChild('String') as SyntaxNode),
          isNegated,
        );
    }
  }

  private unary(node: SyntaxNode): sql.Operand {
    if (++this.depth > DEEPEST_NESTING) throw tooDeep();
    const [first, second] = childrenOf(node) as [SyntaxNode, SyntaxNode | undefined];
    const operand = this.prefixed(first, second);
    this.depth--;
    return operand;
  }

  private prefixed(first: SyntaxNode, second: SyntaxNode | undefined): sql.Operand {
    switch (first.name) {
      case 'Plus':
        return this.unary(second as SyntaxNode);
      case 'Minus':
        return sql.negative(this.unary(second as SyntaxNode));
      case 'Not':
        return sql.not(sql.asCondition(this.unary(second as SyntaxNode)));
      case '(':
        return this.disjunction(second as SyntaxNode);
      case 'Property':
        return sql.property(this.textOf(first));
      default:
        return sql.constant(this.valueOf(first));
    }
  }

  private valueOf(literal: SyntaxNode): SqlValue {
    switch (literal.name) {
      case 'String':
        return this.stringOf(literal);
      case 'Number':
        return this.numberOf(literal);
      case 'Null':
        return null;
      default:
        return literal.name === 'True';
    }
  }

  private numberOf(literal: SyntaxNode): SqlValue {
    const digits = this.textOf(literal);
    const value = /[.eE]/.test(digits) ? Number(digits) : integerOf(digits.replace(/[lL]$/, ''));
    // The real server treats the smallest positive decimal as its lower limit, and so rejects 0.0.
    if (value === undefined || value === Number.POSITIVE_INFINITY || value === 0) {
      throw new SqlFilterError(`the number ${shortened(digits)} is out of range`);
    }
    return value;
  }

  private stringOf(literal: SyntaxNode): string {
    return this.textOf(literal).slice(1, -1).replaceAll("''", "'");
  }

  private textOf({ from, to }: SyntaxNode): string {
    return this.text.slice(from, to);
  }
}

function tooDeep(): SqlFilterError {
  return new SqlFilterError(`it is nested deeper than ${DEEPEST_NESTING}`);
}

function negateIf(test: SyntaxNode, operand: sql.Operand): sql.Operand {
  return test.getChild('Not') === null ? operand : sql.not(operand);
}

function substringOperatorOf(test: SyntaxNode): sql.SubstringOperator {
  if (test.getChild('Contains') !== null) return 'contains';
  return test.getChild('StartsWith') === null ? 'endsWith' : 'startsWith';
}

function shortened(text: string): string {
  return text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text;
}

/** The children of a node, without comments. */
function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (!child.name.endsWith('Comment')) children.push(child);
  }
  return children;
}
