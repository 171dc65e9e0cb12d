/**
 * @module scripts/doc-examples
 *
 * Type-checks every TypeScript example of the README and of `docs/`, strictly and as a user of the package would: by the package's name. What an example takes from its
 * reader (models, queues, wallets) is declared in `__tests__/types/doc-names.d.ts`.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, tool } from './steps.mjs';

const FOLDER = join(ROOT, 'target', 'doc-examples');
const EXAMPLE = /^```ts\n(.*?)^```/gms;
// Examples show one thing each: what they declare need not be used.
const OPTIONS = {
  target: 'es2023',
  module: 'nodenext',
  lib: ['es2023', 'dom', 'esnext.disposable'],
  types: ['node'],
  strict: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
};

/** One example as a module; its statements in a function, since some return. */
function moduleOf(code) {
  const lines = code.split('\n');
  const isImport = (line) => line.startsWith('import ');
  const statements = lines.filter((line) => !isImport(line)).join('\n');
  return `${lines.filter(isImport).join('\n')}\nexport async function example(): Promise<unknown> {\n${statements}\nreturn undefined;\n}\n`;
}

/** Writes the examples and checks them in one run of the compiler. */
export async function checkDocExamples() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  let count = 0;
  for (const page of ['README.md', ...docs.map((name) => join('docs', name))]) {
    const text = readFileSync(join(ROOT, page), 'utf8');
    for (const { 1: code, index } of text.matchAll(EXAMPLE)) {
      // The name of the file tells where the example begins.
      const line = text.slice(0, index).split('\n').length;
      writeFileSync(join(FOLDER, `${page.replaceAll(/\W/g, '-')}-line-${line}.mts`), moduleOf(code));
      count++;
    }
  }
  if (count === 0) throw new Error('no examples were found: is the pattern still right?');
  const files = ['*.mts', '../../__tests__/types/doc-names.d.ts'];
  writeFileSync(join(FOLDER, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: files }));
  await tool('tsc', ['--project', FOLDER]);
  return `${count} examples`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(await checkDocExamples());
