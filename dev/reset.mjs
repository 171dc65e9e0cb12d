/**
 * @module dev/reset
 *
 * Ends a TCP connection with a reset alone.
 */

/**
 * Node's own `resetAndDestroy` shuts the write side down first, so that the other end usually sees a clean end of stream and no reset. This is its second half;
 * the proxy's self-test fails if a Node version renames the flag.
 */
export function resetSocket(socket) {
  socket.resetAndClosing = true;
  socket.destroy();
}
