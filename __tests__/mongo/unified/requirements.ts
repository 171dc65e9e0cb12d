/**
 * @module __tests__/mongo/unified/requirements
 *
 * Which tests apply to the deployment at hand, and why the others do not. A test that does not apply is counted and named, never run.
 */
import type { Document, MongoClient } from '../../../dist/index.js';
import { compareVersions, type Requirement, SCHEMA_VERSION, type TestCase, type TestFile, versionOf } from './format';

/** What the tests run on. */
export interface Deployment {
  readonly version: readonly number[];
  readonly topology: 'replicaset' | 'single' | 'sharded';
  readonly parameters: Document;
}

/** Asks the server. */
export async function inspect(client: MongoClient): Promise<Deployment> {
  const admin = client.db('admin');
  const { versionArray } = (await admin.command({ buildInfo: 1 })) as { versionArray: number[] };
  const hello = await admin.command({ hello: 1 });
  const topology = hello['msg'] === 'isdbgrid' ? 'sharded' : hello['setName'] === undefined ? 'single' : 'replicaset';
  return { version: versionArray.slice(0, 3), topology, parameters: await admin.command({ getParameter: '*' }) };
}

/** Operations that the Node driver's API does not have, by `object kind.name`. */
export const NOT_IN_API: ReadonlyMap<string, string> = new Map([
  ['listDatabaseObjects', 'the API has no enumeration of database objects'],
  ['listCollectionObjects', 'the API has no enumeration of collection objects'],
  ['mapReduce', 'the API has no mapReduce, as the Node driver since 5.0'],
]);

/** Why a test does not apply, or `undefined` when it does. */
export function inapplicable(file: TestFile, test: TestCase, deployment: Deployment): string | undefined {
  if (test.skipReason !== undefined) return `the file says: ${test.skipReason}`;
  const unmet = requirement(file.runOnRequirements, deployment) ?? requirement(test.runOnRequirements, deployment);
  if (unmet !== undefined) return unmet;
  if (test.expectLogMessages !== undefined) return 'log messages: the Node driver logs by events and diagnostics here';
  if (test.expectTracingMessages !== undefined) return 'tracing spans';
  const missing = test.operations.map(({ name }) => NOT_IN_API.get(name)).find((reason) => reason !== undefined);
  return missing;
}

/** Throws when the runner is too old for a file. */
export function checkSchema({ schemaVersion }: TestFile): void {
  const [major = 0, minor = 0] = versionOf(schemaVersion);
  if (major !== SCHEMA_VERSION[0] || minor > SCHEMA_VERSION[1])
    throw new Error(`schema version ${schemaVersion} is not supported: this runner knows ${SCHEMA_VERSION.join('.')}`);
}

function requirement(any: readonly Requirement[] | undefined, deployment: Deployment): string | undefined {
  if (any === undefined) return undefined;
  const reasons = any.map((each) => unmetPart(each, deployment));
  return reasons.includes(undefined) ? undefined : reasons.join(', or ');
}

function unmetPart(wanted: Requirement, { version, topology, parameters }: Deployment): string | undefined {
  const { minServerVersion, maxServerVersion, topologies, serverParameters } = wanted;
  if (minServerVersion !== undefined && compareVersions(version, versionOf(minServerVersion)) < 0)
    return `server ${minServerVersion} or newer`;
  if (maxServerVersion !== undefined && compareVersions(version, versionOf(maxServerVersion)) > 0)
    return `server ${maxServerVersion} or older`;
  if (topologies !== undefined && !topologies.includes(topology)) return `topology ${topologies.join(' or ')}`;
  if (wanted.serverless === 'require') return 'Atlas Serverless';
  if (wanted.auth === true || wanted.authMechanism !== undefined) return 'authentication';
  if (wanted.csfle !== undefined && wanted.csfle !== false) return 'client-side encryption';
  for (const [name, value] of Object.entries(serverParameters ?? {}))
    if (parameters[name] !== value) return `server parameter ${name}=${JSON.stringify(value)}`;
  return undefined;
}
