/**
 * @module __tests__/mongo/unified/format
 *
 * Files of MongoDB's unified test format: their shape as far as the runner reads it, and how they are found and read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BSON } from 'mongodb';
import type { Document } from '../../../dist/index.js';

/** What the runner understands: major versions are exact, minor ones are the newest that it was written for. */
export const SCHEMA_VERSION = [1, 28] as const;

export interface Requirement {
  readonly minServerVersion?: string;
  readonly maxServerVersion?: string;
  readonly topologies?: readonly string[];
  readonly serverParameters?: Document;
  readonly serverless?: 'require' | 'forbid' | 'allow';
  readonly auth?: boolean;
  readonly authMechanism?: string;
  readonly csfle?: boolean | object;
}

export interface CollectionData {
  readonly databaseName: string;
  readonly collectionName: string;
  readonly createOptions?: Document;
  readonly documents: readonly Document[];
}

export interface ExpectedError {
  readonly isError?: boolean;
  readonly isClientError?: boolean;
  readonly isTimeoutError?: boolean;
  readonly errorContains?: string;
  readonly errorCode?: number;
  readonly errorCodeName?: string;
  readonly errorLabelsContain?: readonly string[];
  readonly errorLabelsOmit?: readonly string[];
  readonly errorResponse?: Document;
  readonly expectResult?: unknown;
  /** Of a bulk write of the client, by the place of the model. */
  readonly writeErrors?: Document;
  readonly writeConcernErrors?: readonly Document[];
}

export interface Operation {
  readonly object: string;
  readonly name: string;
  readonly arguments?: Document;
  readonly ignoreResultAndError?: boolean;
  readonly expectError?: ExpectedError;
  readonly expectResult?: unknown;
  readonly saveResultAsEntity?: string;
}

export interface ExpectedEvents {
  readonly client: string;
  readonly eventType?: 'command' | 'cmap' | 'sdam';
  readonly events: readonly Record<string, Document>[];
  readonly ignoreExtraEvents?: boolean;
}

/** One key: the kind of entity. */
export type EntityDescription = Record<string, Document & { readonly id: string }>;

export interface TestCase {
  readonly description: string;
  readonly runOnRequirements?: readonly Requirement[];
  readonly skipReason?: string;
  readonly operations: readonly Operation[];
  readonly expectEvents?: readonly ExpectedEvents[];
  readonly expectLogMessages?: readonly object[];
  readonly expectTracingMessages?: object;
  readonly outcome?: readonly CollectionData[];
}

export interface TestFile {
  /** Its path below the folder that was read. */
  readonly name: string;
  readonly description: string;
  readonly schemaVersion: string;
  readonly runOnRequirements?: readonly Requirement[];
  readonly createEntities?: readonly EntityDescription[];
  readonly initialData?: readonly CollectionData[];
  readonly tests: readonly TestCase[];
}

/** Reads one file; numbers in it are JavaScript's. */
export function readTestFile(folder: string, name: string): TestFile {
  const content = BSON.EJSON.parse(readFileSync(join(folder, name), 'utf8'), { relaxed: true }) as Omit<TestFile, 'name'>;
  return { ...content, name };
}

/** The test files below a folder, in the order of their names. */
export function readTestFiles(folder: string): TestFile[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.json')).toSorted().map((name) => readTestFile(folder, name)); // prettier-ignore
}

/** A version's first three numbers. */
export function versionOf(text: string): readonly number[] {
  const numbers = text.split('.').map((part) => Number.parseInt(part, 10));
  return [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0];
}

/** Below 0: `a` is older than `b`. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (const [index, number] of a.entries()) {
    const difference = number - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
