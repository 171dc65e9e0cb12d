/**
 * @module dev/suites/mongoose/reporter
 *
 * A mocha reporter: one JSON line a test into the reporter's option `output` or `MOORING_SUITE_OUT`, the failing ones' messages beside them.
 */
'use strict';
const { appendFileSync, writeFileSync } = require('node:fs');
const { relative } = require('node:path');

// mocha makes one with `new`.
// oxlint-disable-next-line typescript/no-extraneous-class -- see above
class Reporter {
  constructor(runner, options) {
    const out = options?.reporterOptions?.output ?? process.env['MOORING_SUITE_OUT'];
    writeFileSync(out, '');
    const write = (test, state, error) => {
      const file = relative(process.cwd(), test.file ?? '');
      appendFileSync(out, `${JSON.stringify({ file, title: test.fullTitle(), state, ms: test.duration, error: error?.stack })}\n`);
    };
    runner.on('pass', (test) => write(test, 'pass'));
    runner.on('pending', (test) => write(test, 'pending'));
    runner.on('fail', (test, error) => write(test, 'fail', error));
  }
}

module.exports = Reporter;
