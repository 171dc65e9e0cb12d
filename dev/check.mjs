/**
 * @module dev/check
 *
 * The development stack tests itself: `node --test dev/check.mjs`. Every switch of every part is used once against the real thing.
 */
import './check/servers.mjs';
import './check/proxy.mjs';
import './check/peer-sockets.mjs';
import './check/solana-chain.mjs';
import './check/solana-faults.mjs';
import './check/solana-subscriptions.mjs';
