/**
 * @module dev/suites/compare
 *
 * What two runs of a suite have in common. A test is `{ file, title, state, error }`; its state is `pass`, `fail` or `pending`.
 */

/** How many tests ended how. */
export function counts(tests) {
  return ['pass', 'pending', 'fail'].map((state) => `${tests.filter((test) => test.state === state).length} ${state}`).join(', ');
}

/** The tests that pass on the reference; those of them that do not on mooring, with what became of them there. */
export function compare(reference, mooring) {
  const ours = byName(mooring);
  const passing = [...byName(reference)].filter(([, { state }]) => state === 'pass');
  const missing = passing.filter(([name]) => ours.get(name)?.state !== 'pass');
  return { passing: passing.length, missing: missing.map(([name]) => ({ name, error: ours.get(name)?.error ?? 'not run' })) };
}

function byName(tests) {
  const named = new Map();
  for (const test of tests) {
    // Some titles exist twice in a file.
    let name = `${test.file} | ${test.title}`;
    while (named.has(name)) name += ' (again)';
    named.set(name, test);
  }
  return named;
}
