/**
 * @module __tests__/mongo/unified/match
 *
 * Whether an actual value is what a test file expects: the format's rules ("Evaluating Matches") with its special operators. A mismatch is thrown and
 * names its path.
 */
import { BSON } from 'mongodb';
import type { Document } from '../../../dist/index.js';

/** What operators look up. */
export interface MatchContext {
  /** The value of an entity; throws when there is none. */
  entity(name: string): unknown;
  /** The logical id of a session entity. */
  sessionId(name: string): unknown;
}

/** An expectation that was not met. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

/** How a value is compared. */
interface Place {
  readonly path: string;
  /** The actual document may have more fields than the expected one. */
  readonly root: boolean;
  readonly context: MatchContext;
}

const BOUNDS = 2 ** 31;

/** Throws unless `actual` is what `expected` says; the outermost document may have more fields than are expected. */
export function matchRoot(expected: unknown, actual: unknown, context: MatchContext, path = 'value'): void {
  match(expected, actual, { path, root: true, context });
}

/** As {@link matchRoot}, for the documents of an iterable. */
export function matchRoots(expected: readonly unknown[], actual: unknown, context: MatchContext, path = 'value'): void {
  const documents = list(actual, expected.length, path);
  for (const [index, each] of expected.entries()) match(each, documents[index], { path: `${path}[${index}]`, root: true, context });
}

/** Throws unless `actual` is what `expected` says, to the last field. */
export function matchNested(expected: unknown, actual: unknown, context: MatchContext, path = 'value'): void {
  match(expected, actual, { path, root: false, context });
}

/** Throws unless both are the same, operators apart; the order of keys does not matter. */
export function matchExactly(expected: unknown, actual: unknown, path: string): void {
  const [wanted, found] = [canonical(expected), canonical(actual)];
  if (wanted !== found) throw new Mismatch(`${path}: expected ${wanted}, got ${found}`);
}

function match(expected: unknown, actual: unknown, place: Place): void {
  const operator = operatorOf(expected);
  if (operator !== undefined) return applyOperator(operator, actual, place);
  if (isDocument(expected)) return matchDocument(expected, actual, place);
  if (Array.isArray(expected)) {
    const values = list(actual, expected.length, place.path);
    for (const [index, each] of expected.entries()) match(each, values[index], { ...place, path: `${place.path}[${index}]`, root: false });
    return;
  }
  const [number, found] = [numeric(expected), numeric(actual)];
  const same = number === undefined ? canonical(expected) === canonical(actual) : found !== undefined && number === found;
  if (!same) throw new Mismatch(`${place.path}: expected ${canonical(expected)}, got ${canonical(actual)}`);
}

function matchDocument(expected: Document, actual: unknown, place: Place): void {
  if (!isDocument(actual)) throw new Mismatch(`${place.path}: expected a document ${canonical(expected)}, got ${canonical(actual)}`);
  for (const [key, value] of Object.entries(expected)) {
    const path = `${place.path}.${key}`;
    const operator = operatorOf(value);
    const missing = !Object.hasOwn(actual, key) || actual[key] === undefined;
    if (operator?.name === '$$exists') {
      if (missing === operator.value) throw new Mismatch(`${path}: expected it to be ${missing ? 'there' : 'absent'}`);
      continue;
    }
    if (missing && operator?.name !== '$$unsetOrMatches') throw new Mismatch(`${path}: expected ${canonical(value)}, but it is absent`);
    match(value, actual[key], { ...place, path, root: false });
  }
  if (place.root) return;
  const extra = Object.keys(actual).filter((key) => actual[key] !== undefined && !Object.hasOwn(expected, key));
  if (extra.length > 0) throw new Mismatch(`${place.path}: not expected: ${extra.join(', ')}`);
}

interface Operator {
  readonly name: string;
  readonly value: unknown;
}

function operatorOf(expected: unknown): Operator | undefined {
  if (!isDocument(expected)) return undefined;
  const [[name, value] = ['', undefined], ...others] = Object.entries(expected);
  return others.length === 0 && name.startsWith('$$') ? { name, value } : undefined;
}

type Apply = (value: unknown, actual: unknown, place: Place) => void;

const OPERATORS: Readonly<Record<string, Apply>> = {
  $$exists: (value, actual, { path }) => {
    if ((actual === undefined) === value) throw new Mismatch(`${path}: expected it to be ${actual === undefined ? 'there' : 'absent'}`);
  },
  $$type: (value, actual, { path }) => {
    const names = (Array.isArray(value) ? value : [value]) as string[];
    if (!names.some((name) => hasType(name, actual)))
      throw new Mismatch(`${path}: expected the type ${names.join(' or ')}, got ${canonical(actual)}`);
  },
  $$unsetOrMatches: (value, actual, place) => {
    if (actual !== undefined) match(value, actual, place);
  },
  $$matchesEntity: (value, actual, place) => match(place.context.entity(String(value)), actual, place),
  $$sessionLsid: (value, actual, place) => match(place.context.sessionId(String(value)), actual, { ...place, root: false }),
  $$matchesHexBytes: (value, actual, { path }) => {
    const bytes = hexBytes(value);
    if (!(actual instanceof Uint8Array) || !bytes.equals(actual))
      throw new Mismatch(`${path}: expected the bytes ${bytes.toString('hex')}, got ${canonical(actual)}`);
  },
  $$lte: (value, actual, { path }) => {
    const [limit, number] = [numeric(value), numeric(actual)];
    if (limit === undefined || number === undefined || number > limit)
      throw new Mismatch(`${path}: expected at most ${canonical(value)}, got ${canonical(actual)}`);
  },
  $$matchAsDocument: (value, actual, place) => {
    if (typeof actual !== 'string') throw new Mismatch(`${place.path}: expected Extended JSON as text, got ${canonical(actual)}`);
    match(value, BSON.EJSON.parse(actual, { relaxed: true }), { ...place, root: false });
  },
  $$matchAsRoot: (value, actual, place) => match(value, actual, { ...place, root: true }),
};

function applyOperator({ name, value }: Operator, actual: unknown, place: Place): void {
  const apply = OPERATORS[name];
  if (apply === undefined) throw new Mismatch(`${place.path}: unknown operator ${name}`);
  apply(value, actual, place);
}

/** The bytes that hexadecimal digits stand for. */
export function hexBytes(value: unknown): Buffer {
  if (typeof value !== 'string' || !/^([\da-f]{2})*$/i.test(value)) throw new Mismatch(`malformed hexadecimal bytes: ${String(value)}`);
  return Buffer.from(value, 'hex');
}

type Test = (value: unknown) => boolean;

const isWhole: Test = (value) => Number.isInteger(numeric(value));
/** Numbers of JavaScript stand for every numeric type that can hold them: decoding has removed the difference. */
const TYPES: Readonly<Record<string, Test>> = {
  double: (value) => numeric(value) !== undefined,
  string: (value) => typeof value === 'string',
  object: (value) => isDocument(value),
  array: (value) => Array.isArray(value),
  binData: (value) => bsonType(value) === 'Binary' || value instanceof Uint8Array,
  undefined: (value) => value === undefined,
  objectId: (value) => bsonType(value) === 'ObjectId',
  bool: (value) => typeof value === 'boolean',
  date: (value) => isDate(value),
  null: (value) => value === null,
  regex: (value) => isRegExp(value) || bsonType(value) === 'BSONRegExp',
  dbPointer: (value) => bsonType(value) === 'DBRef',
  javascript: (value) => bsonType(value) === 'Code',
  symbol: (value) => bsonType(value) === 'BSONSymbol',
  javascriptWithScope: (value) => bsonType(value) === 'Code' && (value as { scope?: unknown }).scope !== null,
  int: (value) => isWhole(value) && Math.abs(Number(value)) <= BOUNDS,
  timestamp: (value) => bsonType(value) === 'Timestamp',
  long: isWhole,
  decimal: (value) => bsonType(value) === 'Decimal128',
  minKey: (value) => bsonType(value) === 'MinKey',
  maxKey: (value) => bsonType(value) === 'MaxKey',
  number: (value) => numeric(value) !== undefined || bsonType(value) === 'Decimal128',
};

function hasType(name: string, value: unknown): boolean {
  const test = TYPES[name];
  if (test === undefined) throw new Mismatch(`unknown BSON type ${name}`);
  return test(value);
}

function list(actual: unknown, length: number, path: string): unknown[] {
  if (!Array.isArray(actual)) throw new Mismatch(`${path}: expected an array, got ${canonical(actual)}`);
  if (actual.length !== length) throw new Mismatch(`${path}: expected ${length} elements, got ${actual.length}: ${canonical(actual)}`);
  return actual;
}

function bsonType(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? (value as { _bsontype?: string })._bsontype : undefined;
}

function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]';
}

function isRegExp(value: unknown): value is RegExp {
  return Object.prototype.toString.call(value) === '[object RegExp]';
}

/** A document, of any class that is not a BSON value of its own. */
export function isDocument(value: unknown): value is Document {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return false;
  return bsonType(value) === undefined && !isDate(value) && !isRegExp(value);
}

/** The number in a value of any numeric type but decimal. */
function numeric(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return ['Int32', 'Long', 'Double'].includes(bsonType(value) ?? '') ? Number(value) : undefined;
}

/** Text that is the same for the same values, whatever the order of keys and the width of numbers. */
function canonical(value: unknown): string {
  if (value === undefined) return 'nothing';
  return BSON.EJSON.stringify(sorted(value), { relaxed: false });
}

function sorted(value: unknown): unknown {
  const number = numeric(value);
  if (number !== undefined) return new BSON.Double(number);
  if (Array.isArray(value)) return value.map((each) => sorted(each));
  if (!isDocument(value)) return value;
  const keys = Object.keys(value).filter((key) => value[key] !== undefined).toSorted(); // prettier-ignore
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}
