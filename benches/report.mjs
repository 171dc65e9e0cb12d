/**
 * @module benches/report
 *
 * Prints what was measured: one table per case, mooring first, each peer with its ratio to mooring (above 1: mooring is better).
 */

const number = (value, digits) => (value === null || value === undefined ? 'n/a' : value.toFixed(digits));

const columns = [
  ['client', (row) => row.client],
  ['main us/op', (row) => number(row.mainUs, 2)],
  ['x', (row) => (row.mainRatio === undefined ? '' : `${row.mainRatio.toFixed(2)}x`)],
  ['ops/s', (row) => number(row.opsPerSecond, 0)],
  ['x', (row) => (row.opsRatio === undefined ? '' : `${row.opsRatio.toFixed(2)}x`)],
  ['p50 ms', (row) => number(row.p50Ms, 3)],
  ['p99 ms', (row) => number(row.p99Ms, 3)],
  ['process us/op', (row) => number(row.processUs, 2)],
];

/** Adds `mainRatio` and `opsRatio` to the rows: against the client named `name`, else the first of mooring's. */
export function withRatios(rows, name) {
  const ours = rows.find((row) => (name === undefined ? row.client.startsWith('mooring') : row.client === name));
  return rows.map((row) => {
    if (row === ours || ours === undefined) return row;
    const mainRatio = row.mainUs === null || ours.mainUs === null ? undefined : row.mainUs / ours.mainUs;
    return { ...row, mainRatio, opsRatio: ours.opsPerSecond / row.opsPerSecond };
  });
}

/** The table of one case as text. */
export function table(title, rows) {
  const cells = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, show]) => show(row)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
  return [`\n${title}`, ...lines].join('\n');
}
