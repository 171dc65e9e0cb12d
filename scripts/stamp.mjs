/**
 * @module scripts/stamp
 *
 * Content stamps: one file that remembers from what something was built. Contents decide, not times: a fresh clone, a copy and a checkout of another branch
 * are told apart rightly. Generated files and folders of tools are not part of a content.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT } from './steps.mjs';

function* files(path) {
  if (!existsSync(path)) return;
  if (statSync(path).isFile()) yield path;
  else
    for (const name of readdirSync(path).toSorted()) {
      if (name !== 'node_modules' && name !== 'dist') yield* files(join(path, name));
    }
}

/** A digest of files and folders (paths from the root) and of further texts. */
export function digest(paths, texts = []) {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of files(join(ROOT, path)))
      hash
        .update(`${relative(ROOT, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  for (const text of texts) hash.update(`${text}\0`);
  return hash.digest('hex');
}

/** Whether `stamp` (a path from the root) holds `content` and every output exists. */
export function isCurrent(stamp, content, outputs = []) {
  const path = join(ROOT, stamp);
  return existsSync(path) && readFileSync(path, 'utf8') === content && outputs.every((output) => existsSync(join(ROOT, output)));
}

/** Remembers `content`. Call it after the outputs are complete. */
export function remember(stamp, content) {
  const path = join(ROOT, stamp);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
