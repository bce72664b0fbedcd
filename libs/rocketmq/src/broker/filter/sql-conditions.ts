// The semantics of SQL filters: how the parts are evaluated and which parts can be combined, by the rules that the real server applies
// to an expression with valid syntax. Syntax is in sql-filter.ts.

import { compare, Incomparable, isEqual, order, type SqlValue } from './sql-values.js';

/** Reads a property of the message; null if it does not exist. */
export type Lookup = (property: string) => string | null;

/** A part of a filter. Its form, not the message, determines what it can be combined with. */
export interface Operand {
  readonly form: 'constant' | 'property' | 'condition' | 'negative';
  evaluate(lookup: Lookup): SqlValue;
}

interface Constant extends Operand {
  readonly form: 'constant';
  readonly value: SqlValue;
}

export type OrderOperator = '<' | '<=' | '>' | '>=';
export type SubstringOperator = 'contains' | 'startsWith' | 'endsWith';

/** An expression whose syntax is valid but whose parts cannot be combined. */
export class MeaninglessFilter extends Error {}

const HOLDS: Readonly<Record<OrderOperator, (position: number) => boolean>> = {
  '<': (position) => position < 0,
  '<=': (position) => position <= 0,
  '>': (position) => position > 0,
  '>=': (position) => position >= 0,
};

export function constant(value: SqlValue): Constant {
  return { form: 'constant', value, evaluate: () => value };
}

export function property(name: string): Operand {
  return { form: 'property', evaluate: (lookup) => lookup(name) };
}

/** `-x`. A property is a string, so its negative is unknown. */
export function negative(operand: Operand): Operand {
  const evaluate = (lookup: Lookup): SqlValue => {
    const value = operand.evaluate(lookup);
    if (typeof value === 'number') return -value;
    return typeof value === 'object' && value !== null ? { ...value, value: -value.value } : null;
  };
  return { form: 'negative', evaluate };
}

/** An operand in the place of a condition. There, a property is unknown if it is missing, otherwise false. */
export function asCondition(operand: Operand): Operand {
  if (operand.form === 'property') {
    return condition((lookup) => (operand.evaluate(lookup) === null ? null : false));
  }
  const isTruth = isConstant(operand) ? operand.value === null || typeof operand.value === 'boolean' : true;
  if (operand.form === 'negative' || !isTruth) {
    throw new MeaninglessFilter('it uses a value where a condition is required');
  }
  return operand;
}

export function not(operand: Operand): Operand {
  return condition((lookup) => {
    const value = operand.evaluate(lookup);
    return value === null ? null : value !== true;
  });
}

/** AND and OR in three-valued logic: one operand equal to `decisive` decides; otherwise an unknown operand makes the result unknown. */
export function join(operands: readonly Operand[], decisive: boolean): Operand {
  return condition((lookup) => {
    let isUnknown = false;
    for (const operand of operands) {
      const value = operand.evaluate(lookup);
      if (value === decisive) return decisive;
      if (value === null) isUnknown = true;
    }
    return isUnknown ? null : !decisive;
  });
}

export function equal(left: Operand, right: Operand): Operand {
  for (const operand of [left, right]) {
    if (isConstant(operand) && operand.value === null) {
      throw new MeaninglessFilter('it compares with NULL; write IS NULL or IS NOT NULL');
    }
  }
  if (isConstant(left) && isConstant(right) && typeof left.value === 'boolean' && typeof right.value !== 'boolean') {
    throw new MeaninglessFilter('it compares a boolean with another literal');
  }
  return condition((lookup) => isEqual(left.evaluate(lookup), right.evaluate(lookup)));
}

export function isNull(operand: Operand): Operand {
  return condition((lookup) => operand.evaluate(lookup) === null);
}

export function ordered(left: Operand, operator: OrderOperator, right: Operand): Operand {
  for (const operand of [left, right]) {
    const isNumber =
      isConstant(operand) && !['string', 'boolean'].includes(typeof operand.value) && operand.value !== null;
    if (operand.form === 'condition' || (isConstant(operand) && !isNumber)) {
      throw new MeaninglessFilter(`"${operator}" requires numbers or properties`);
    }
  }
  return condition((lookup) => {
    const position = order(left.evaluate(lookup), right.evaluate(lookup));
    return position === null ? null : HOLDS[operator](position);
  });
}

export function between(operand: Operand, low: Operand, high: Operand): Operand {
  if (isConstant(low) && isConstant(high)) assertRange(low.value, high.value);
  return join([ordered(operand, '>=', low), ordered(operand, '<=', high)], false);
}

export function notBetween(operand: Operand, low: Operand, high: Operand): Operand {
  return join([ordered(operand, '<', low), ordered(operand, '>', high)], true);
}

export function oneOf(operand: Operand, texts: readonly string[], negated: boolean): Operand {
  if (operand.form !== 'property') throw new MeaninglessFilter('the left side of IN must be a property');
  const wanted = new Set(texts);
  return condition((lookup) => {
    const value = operand.evaluate(lookup);
    return typeof value === 'string' ? wanted.has(value) !== negated : null;
  });
}

/** Never unknown: for a missing property, or an empty string, the result is false, negated or not (observed on 5.5.0). */
export function substring(operand: Operand, operator: SubstringOperator, text: string, negated: boolean): Operand {
  return condition((lookup) => {
    const value = operand.evaluate(lookup);
    if (typeof value !== 'string' || text === '') return false;
    return holds(value, operator, text) !== negated;
  });
}

function holds(value: string, operator: SubstringOperator, text: string): boolean {
  if (operator === 'contains') return value.includes(text);
  return operator === 'startsWith' ? value.startsWith(text) : value.endsWith(text);
}

function assertRange(low: SqlValue, high: SqlValue): void {
  if (low === null || high === null) throw new MeaninglessFilter('it uses NULL with BETWEEN');
  try {
    if (compare(high, low) >= 0) return;
  } catch (error) {
    if (!(error instanceof Incomparable)) throw error;
  }
  throw new MeaninglessFilter('the lower bound of BETWEEN is above the upper one');
}

function condition(evaluate: (lookup: Lookup) => boolean | null): Operand {
  return { form: 'condition', evaluate };
}

function isConstant(operand: Operand): operand is Constant {
  return operand.form === 'constant';
}
