/** @module __tests__/support/no-peer-sockets: fails a test file in which a peer opened a connection, even when the error was swallowed. */
import { Socket } from 'node:net';
import { afterAll, expect } from '@jest/globals';

afterAll(() => {
  const trap = (Socket.prototype.connect as unknown as Record<symbol, { caught: string[] } | undefined>)[
    Symbol.for('mooring.peer-sockets')
  ];
  expect(trap?.caught).toEqual([]);
});
