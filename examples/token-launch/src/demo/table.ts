/**
 * @module demo/table
 *
 * What the demo prints: headings, tables, lines of progress and checks.
 */
type Cell = string | number;

const print = (line = ''): boolean => process.stdout.write(`${line}\n`);

/** Starts a chapter. */
export function heading(text: string): void {
  print();
  print(`── ${text} ${'─'.repeat(Math.max(3, 92 - text.length))}`);
}

/** One line of progress. */
export function note(text: string): void {
  print(`   ${text}`);
}

/** A table; columns of numbers are right-aligned. */
export function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const lines = [columns, ...rows].map((row) => row.map(cellText));
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'));
  const format = (line: readonly string[]): string =>
    line
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('   ')
      .trimEnd();
  const [head = [], ...body] = lines;
  print();
  print(`   ${format(head)}`);
  print(`   ${widths.map((width) => '─'.repeat(width)).join('───')}`);
  for (const line of body) print(`   ${format(line)}`);
  print();
}

function cellText(cell: Cell): string {
  return typeof cell === 'number' ? cell.toLocaleString('en-US', { maximumFractionDigits: 1 }) : cell;
}

/** The checks of a run. */
export class Checks {
  /** How many did not hold. */
  failed = 0;

  /** Prints whether `holds`, and with which figures. */
  check(what: string, holds: boolean, figures = ''): void {
    if (!holds) this.failed += 1;
    print(`   ${holds ? '✔' : '✘'} ${what}${figures === '' ? '' : `  (${figures})`}`);
  }

  /** Checks that there are none of these. */
  none(what: string, count: number): void {
    this.check(`${count} ${what}`, count === 0);
  }

  /** Checks that two figures are equal. */
  equal(what: string, actual: number, expected: number): void {
    this.check(what, actual === expected, actual === expected ? String(actual) : `${actual}, expected ${expected}`);
  }
}
