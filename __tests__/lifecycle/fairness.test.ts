/** @module __tests__/lifecycle/fairness: a flood of answers leaves the host's timers and I/O their turn. */
import { setImmediate as nextPhase } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { KeyedLane, type LaneHandle } from '../../dist/lane.js';

const OPERATIONS = 200;
const ANSWER_MS = 2;

/** A client that has one answer ready at every wake and takes `ANSWER_MS` of the thread to hand it over. */
class Flood implements LaneHandle {
  readonly ready: number[] = [];
  drains = 0;
  armed = false;

  submit(buffer: Uint8Array, length: number): undefined {
    const view = new DataView(buffer.buffer, buffer.byteOffset, length);
    for (let at = 0; at < length; at += 20 + view.getUint32(at, true)) this.ready.push(view.getUint32(at + 4, true));
    this.armed = true;
  }

  drain(meta: Uint32Array): undefined {
    this.drains++;
    const until = performance.now() + ANSWER_MS;
    while (performance.now() < until);
    const id = this.ready.shift();
    meta.set([id === undefined ? 0 : 1, 0, 0, 0, id ?? 0, 0, 0, 0]);
    this.armed = this.ready.length > 0;
  }

  cancel(): void {}
  release(): void {}
}

test('answers that keep coming are taken in turns, and all of them arrive', async () => {
  const flood = new Flood();
  let wake = (): void => {};
  const lane = new KeyedLane<Flood>((call) => {
    wake = call;
    return flood;
  });
  const answers = Promise.all(Array.from({ length: OPERATIONS }, () => lane.run({ opcode: 1 })));
  await nextPhase();
  let most = 0;
  let phases = 0;
  while (flood.armed) {
    const before = flood.drains;
    // As Node does it: thread-safe calls one after another while there are any, at most a thousand. A wake that is not followed by a drain is not repeated.
    for (let calls = 0, last = -1; calls < 1000 && flood.armed && flood.drains !== last; calls++) {
      last = flood.drains;
      wake();
    }
    most = Math.max(most, flood.drains - before);
    phases++;
    await nextPhase();
  }
  await expect(answers).resolves.toHaveLength(OPERATIONS);
  // 10 ms of answers of 2 ms each, and one begun just before.
  expect(most).toBeLessThanOrEqual(6);
  expect(phases).toBeGreaterThan(OPERATIONS / 10);
});
