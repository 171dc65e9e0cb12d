/**
 * @module scripts/publish
 *
 * Publishes the platform packages, then the root package; called by the release workflow alone, after `napi artifacts` and `check-npm --built`. A version that
 * is already published is skipped, so that a run that failed half-way can be repeated.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npm, progress, ROOT, StepFailed, tool } from './steps.mjs';

/** Whether the registry has this version. Anything but a clear answer is a failure: nobody publishes by mistake. */
async function isPublished(name, version) {
  const versions = await npm(['view', name, 'versions', '--json', '--prefer-online'], { capture: true }).catch((error) => {
    if (error instanceof StepFailed) return undefined;
    throw error;
  });
  // `npm view` fails for a package that does not exist; publishing then fails by itself unless it may be created.
  return versions !== undefined && [JSON.parse(versions)].flat().includes(version);
}

async function publish(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (await isPublished(name, version)) return progress(`${name} ${version} is published already`);
  const tag = version.includes('-') ? 'next' : 'latest';
  // No scripts: the platform packages are published here, not by `prepublishOnly`.
  await npm(['publish', '--ignore-scripts', '--provenance', '--access', 'public', '--tag', tag], { cwd: folder });
  progress(`${name} ${version} published`);
}

if (process.env.GITHUB_ACTIONS !== 'true') throw new Error('releases are published by the release workflow alone');
for (const folder of readdirSync(join(ROOT, 'npm')).toSorted()) await publish(join(ROOT, 'npm', folder));
// Writes optionalDependencies into package.json; publishes nothing.
await tool('napi', ['pre-publish', '-t', 'npm', '--skip-optional-publish', '--no-gh-release']);
await publish(ROOT);
