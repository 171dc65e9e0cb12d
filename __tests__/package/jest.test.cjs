/**
 * @module __tests__/package/jest
 *
 * A consumer's Jest file: errors keep their class across `jest.resetModules()`, and Jest finds nothing left open.
 */
const mooring = require('mooring');

test('errors of one copy are errors of the other', () => {
  const error = new mooring.MooringError('MOORING_CLOSED', 'client is closed');
  jest.resetModules();
  const again = require('mooring');
  expect(again.MooringError).not.toBe(mooring.MooringError);
  expect(error).toBeInstanceOf(again.MooringError);
  expect(again.isMooringError(error, 'MOORING_CLOSED')).toBe(true);
});

test('a bad argument is refused before anything happens', async () => {
  await expect(mooring.gracefulShutdown({ deadlineMs: Number.NaN })).rejects.toMatchObject({ code: 'MOORING_INVALID_ARGUMENT' });
  expect(mooring.openThings()).toEqual([]);
});
